package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"sync/atomic"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// startGcs runs a fake of the service in this process. The fake compares each
// object with all others of its bucket, which would hide what clients cost: here
// each resident key has a bucket of its own behind the one that peers see.
func startGcs() (addr string, stop func(), err error) {
	fake, err := fakestorage.NewServerWithOptions(fakestorage.Options{NoListener: true, PublicHost: "127.0.0.1"})
	if err != nil {
		return "", nil, err
	}
	for i := range residentKeys {
		fake.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: fmt.Sprintf("%s-%02x", gcsBucket, i)})
	}
	server := httptest.NewServer(&spread{fake: fake.HTTPHandler()})
	stop = func() {
		server.Close()
		fake.Stop()
	}
	return server.Listener.Addr().String(), stop, nil
}

// keyInPath finds the bucket, and the key with its last two digits.
var keyInPath = regexp.MustCompile(`/` + gcsBucket + `(/(?:o/)?[^/ ?]*([0-9a-f]{2}))`)

type spread struct {
	fake       http.Handler
	gets, sets atomic.Int64
}

func (s *spread) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch name := r.URL.Query().Get("name"); {
	case r.URL.Path == "/executed": // for tests
		fmt.Fprint(w, s.gets.Load(), s.sets.Load())
		return
	case r.URL.Path == "/batch/storage/v1":
		body, _ := io.ReadAll(r.Body)
		body = keyInPath.ReplaceAll(body, []byte("/"+gcsBucket+"-$2$1"))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	case name != "":
		s.sets.Add(1)
		r.URL.Path = "/upload/storage/v1/b/" + gcsBucket + "-" + name[len(name)-2:] + "/o"
	default:
		s.gets.Add(1)
		r.URL.RawPath = keyInPath.ReplaceAllString(r.URL.EscapedPath(), "/"+gcsBucket+"-$2$1")
		r.URL.Path, _ = url.PathUnescape(r.URL.RawPath)
	}
	s.fake.ServeHTTP(w, r)
}
