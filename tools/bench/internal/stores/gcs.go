package stores

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"sync"
	"time"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/conformance/proxy"
	"github.com/cachebackends/cachebackends/gcs"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"google.golang.org/api/option"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

const (
	gcsBucket = "bench"
	gcsDelay  = 20 * time.Millisecond // of a request on its way
)

// GCS are the ways to use a bucket of Google Cloud Storage, behind a link of 20 ms,
// with so many requests of a batch at a time.
func GCS(concurrency int) Kind {
	return Kind{Start: startGCS, slow: true, Peers: []Peer{
		{Name: "gcs", Lacks: "nothing", Ours: true, open: func(addr string) (store, error) {
			return through(gcs.New(ctx, gcs.Options{Bucket: gcsBucket, Endpoint: "http://" + addr, Anonymous: true, Concurrency: concurrency}))
		}},
		{Name: "raw-http", Lacks: "the client library: one request of net/http for each key, without a check of the sum", open: func(addr string) (store, error) {
			return openRawHTTP(addr, concurrency)
		}},
		{Name: "storage", Lacks: "a check of the expiry, which it stores; batches: the client library", open: func(addr string) (store, error) {
			return openStorage(addr, concurrency)
		}},
	}}
}

// startGCS runs a fake of the service in this process, behind a proxy.
func startGCS() (addr string, stop func(), err error) {
	fake, err := fakestorage.NewServerWithOptions(fakestorage.Options{Scheme: "http", Host: "127.0.0.1", PublicHost: "127.0.0.1"})
	if err != nil {
		return "", nil, err
	}
	fake.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: gcsBucket})
	server, err := url.Parse(fake.URL())
	if err != nil {
		return "", nil, err
	}
	link, err := proxy.New(server.Host)
	if err != nil {
		fake.Stop()
		return "", nil, err
	}
	link.Delay = gcsDelay
	return link.Addr(), func() { link.Close(); fake.Stop() }, link.Set(proxy.Latency)
}

func openStorage(addr string, concurrency int) (store, error) {
	client, err := storage.NewClient(ctx, option.WithEndpoint("http://"+addr+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		return store{}, err
	}
	bucket := client.Bucket(gcsBucket)
	get := func(key string) ([]byte, error) {
		r, err := bucket.Object(key).NewReader(ctx)
		if errors.Is(err, storage.ErrObjectNotExist) {
			return nil, os.ErrNotExist
		}
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(r)
	}
	set := func(key string, value []byte) error {
		w := bucket.Object(key).NewWriter(ctx)
		w.CustomTime = time.Now().Add(workload.Life)
		if _, err := w.Write(value); err != nil {
			return err
		}
		return w.Close()
	}
	remove := func(key string) error { return bucket.Object(key).Delete(ctx) }
	return parallel(concurrency, singles(get, set, remove, func() { client.Close() }), remove), nil
}

func openRawHTTP(addr string, concurrency int) (store, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	ask := func(method, path, contentType string, body io.Reader) ([]byte, error) {
		req, err := http.NewRequest(method, "http://"+addr+path, body)
		if err != nil {
			return nil, err
		}
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		res, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		switch {
		case err == nil && res.StatusCode == http.StatusNotFound:
			err = os.ErrNotExist
		case err == nil && res.StatusCode >= 300:
			err = fmt.Errorf("%s %s: %s", method, path, res.Status)
		}
		return answer, err
	}
	get := func(key string) ([]byte, error) {
		return ask(http.MethodGet, "/"+gcsBucket+"/"+url.PathEscape(key), "", nil)
	}
	remove := func(key string) error {
		_, err := ask(http.MethodDelete, "/storage/v1/b/"+gcsBucket+"/o/"+url.PathEscape(key), "", nil)
		return err
	}
	set := func(key string, value []byte) error {
		contentType, body, err := multipartUpload(key, value)
		if err != nil {
			return err
		}
		_, err = ask(http.MethodPost, "/upload/storage/v1/b/"+gcsBucket+"/o?uploadType=multipart&name="+url.QueryEscape(key), contentType, body)
		return err
	}
	return parallel(concurrency, singles(get, set, remove, client.CloseIdleConnections), remove), nil
}

// multipartUpload is the body of a request that stores value and its expiry.
func multipartUpload(key string, value []byte) (contentType string, body io.Reader, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	attributes, err := json.Marshal(map[string]any{"name": key, "customTime": time.Now().Add(workload.Life).Format(time.RFC3339)})
	for _, part := range []struct {
		contentType string
		content     []byte
	}{{"application/json", attributes}, {"application/octet-stream", value}} {
		to, createErr := w.CreatePart(textproto.MIMEHeader{"Content-Type": {part.contentType}})
		if err = errors.Join(err, createErr); err != nil {
			return "", nil, err
		}
		to.Write(part.content)
	}
	return "multipart/related; boundary=" + w.Boundary(), &b, w.Close()
}

// parallel gives s batches with so many calls at a time.
func parallel(limit int, s store, remove func(key string) error) store {
	each := func(keys []string, do func(key string) error) (done int, err error) {
		errs := make([]error, len(keys))
		free := make(chan struct{}, limit)
		var all sync.WaitGroup
		for i, key := range keys {
			free <- struct{}{}
			all.Go(func() {
				errs[i] = do(key)
				<-free
			})
		}
		all.Wait()
		for _, err := range errs {
			if err == nil {
				done++
			}
		}
		return done, errors.Join(errs...)
	}
	s.getMany = func(keys []string) (int, error) {
		return each(keys, func(key string) error { _, err := s.get(key); return err })
	}
	s.setMany = func(keys []string, value []byte) func() error {
		return func() error {
			_, err := each(keys, func(key string) error { return s.set(key, value) })
			return err
		}
	}
	s.deleteMany = func(keys []string) (int, error) { return each(keys, remove) }
	return s
}
