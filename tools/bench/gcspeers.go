package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"time"

	"cloud.google.com/go/storage"
	"github.com/cachebackends/cachebackends/gcs"
	"google.golang.org/api/option"
)

// gcsPeers returns the raw client first, which most goals speak of.
func gcsPeers() []remotePeer {
	return []remotePeer{
		{"storage", "a look at the expiry, which it stores; batches: a loop; the client library with its default writer", 0, true, openStorage},
		{"gcs", "nothing: the bare backend as it comes", 0, true, openGcs},
		{"gcs+Cache", "nothing: the same through the methods of Cache", 0, true, openGcsCache},
		{"gcs-loop", "batches: a loop over the bare backend", 0, true, openGcsLoop},
		{"raw-http", "the client library: one request of net/http each, without a check of the sum; batches: a loop", 0, true, openRawHTTP},
	}
}

func openStorage(addr string) (remoteStore, error) {
	ctx := context.Background()
	client, err := storage.NewClient(ctx, option.WithEndpoint("http://"+addr+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		return remoteStore{}, err
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
		w.CustomTime = time.Now().Add(life)
		if _, err := w.Write(value); err != nil {
			return err
		}
		return w.Close()
	}
	remove := func(key string) error { return bucket.Object(key).Delete(ctx) }
	return storeOfSingles(get, set, remove, func() { client.Close() }), nil
}

func openGcs(addr string) (remoteStore, error) { return storeOf(newGcs(addr)) }

func openGcsCache(addr string) (remoteStore, error) { return storeOfCache(newGcs(addr)) }

func newGcs(addr string) (*gcs.Backend, error) {
	return gcs.New(context.Background(), gcs.Options{Bucket: gcsBucket, Endpoint: "http://" + addr, Anonymous: true})
}

func openGcsLoop(addr string) (remoteStore, error) {
	ctx := context.Background()
	b, err := newGcs(addr)
	if err != nil {
		return remoteStore{}, err
	}
	return storeOfSingles(
		func(key string) ([]byte, error) { return orMiss(b.Get(ctx, key)) },
		func(key string, value []byte) error { return b.Set(ctx, key, value, life) },
		func(key string) error {
			_, err := b.Delete(ctx, key)
			return err
		},
		func() { b.Close() },
	), nil
}

// storeOfSingles is a client that reads one key at a time, too.
func storeOfSingles(get func(key string) ([]byte, error), set func(key string, value []byte) error, remove func(key string) error, close func()) remoteStore {
	getMany := func(keys []string) (found int, err error) {
		for _, key := range keys {
			_, err := get(key)
			if err == nil {
				found++
			} else if !errors.Is(err, os.ErrNotExist) {
				return found, err
			}
		}
		return found, nil
	}
	return storeOfLoops(get, set, remove, getMany, close)
}

func openRawHTTP(addr string) (remoteStore, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: idleConns}}
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
	return storeOfSingles(get, set, remove, client.CloseIdleConnections), nil
}

// multipartUpload is the body of a request that stores value and its expiry.
func multipartUpload(key string, value []byte) (contentType string, body io.Reader, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	attributes, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/json"}})
	if err != nil {
		return "", nil, err
	}
	err = json.NewEncoder(attributes).Encode(map[string]any{"name": key, "customTime": time.Now().Add(life).Format(time.RFC3339)})
	if err != nil {
		return "", nil, err
	}
	content, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/octet-stream"}})
	if err != nil {
		return "", nil, err
	}
	if _, err := content.Write(value); err != nil {
		return "", nil, err
	}
	return "multipart/related; boundary=" + w.Boundary(), &b, w.Close()
}
