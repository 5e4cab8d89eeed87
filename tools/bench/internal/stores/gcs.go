package stores

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cachebackends/cachebackends/conformance/proxy"
	"github.com/cachebackends/cachebackends/gcs"
	"github.com/fsouza/fake-gcs-server/fakestorage"
	"golang.org/x/sync/errgroup"
)

const (
	gcsBucket = "bench"
	gcsDelay  = 20 * time.Millisecond // of a request on its way
)

// GCS are the ways to use a bucket of Google Cloud Storage, behind a link of 20 ms,
// with so many requests of a batch at a time.
func GCS(concurrency int) Kind {
	return Kind{Start: startGCS, slow: true, peers: []peer{
		{"gcs", "nothing", true, func(addr string) (store, error) {
			return through(gcs.New(ctx, gcs.Options{Bucket: gcsBucket, Endpoint: "http://" + addr, Anonymous: true, Concurrency: concurrency}))
		}},
		{"raw-http", "expiry, a check of the sum: one request of net/http for each key", false, func(addr string) (store, error) {
			return openHTTP("http://"+addr, concurrency), nil
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
	link, err := proxy.New(strings.TrimPrefix(fake.URL(), "http://"))
	if err != nil {
		fake.Stop()
		return "", nil, err
	}
	link.Delay = gcsDelay
	return link.Addr(), func() { link.Close(); fake.Stop() }, link.Set(proxy.Latency)
}

func openHTTP(server string, concurrency int) store {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	ask := func(method, path string, body []byte) ([]byte, error) {
		req, err := http.NewRequest(method, server+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
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
	s := singles(
		func(key string) ([]byte, error) {
			return ask(http.MethodGet, "/"+gcsBucket+"/"+url.PathEscape(key), nil)
		},
		func(key string, value []byte) error {
			_, err := ask(http.MethodPost, "/upload/storage/v1/b/"+gcsBucket+"/o?uploadType=media&name="+url.QueryEscape(key), value)
			return err
		},
		func(key string) error {
			_, err := ask(http.MethodDelete, "/storage/v1/b/"+gcsBucket+"/o/"+url.PathEscape(key), nil)
			return err
		},
		client.CloseIdleConnections,
	)
	s.each = func(keys []string, do func(key string) error) error {
		var all errgroup.Group
		all.SetLimit(concurrency)
		for _, key := range keys {
			all.Go(func() error { return do(key) })
		}
		return all.Wait()
	}
	return s
}
