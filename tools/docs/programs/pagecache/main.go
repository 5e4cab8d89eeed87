// Pages of a web server, kept in a cache.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	_ "github.com/cachebackends/cachebackends/simple"
)

// page is the stored part of a response.
type page struct {
	ContentType string
	Body        []byte
}

var errPrivate = errors.New("the response must not be shared")

// cached serves GET requests without credentials from pages.
func cached(pages cache.View[page], timeout time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
			next.ServeHTTP(w, r)
			return
		}
		// A hash, because some stores limit the length and the characters of keys.
		key := fmt.Sprintf("page:%x", sha256.Sum256([]byte(r.Host+" "+r.URL.RequestURI())))
		p, err := pages.GetOrSet(r.Context(), key, func(ctx context.Context) (page, error) {
			return render(next, r.WithContext(ctx))
		}, cache.Timeout(timeout))
		if err != nil { // errPrivate, or the request was cancelled
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", p.ContentType)
		w.Write(p.Body)
	})
}

// render returns the response of next, or errPrivate.
func render(next http.Handler, r *http.Request) (page, error) {
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(w, r)
	control := w.header.Get("Cache-Control")
	if w.status != http.StatusOK || w.header.Get("Set-Cookie") != "" || w.header.Get("Vary") != "" ||
		strings.Contains(control, "private") || strings.Contains(control, "no-store") {
		return page{}, errPrivate
	}
	return page{w.header.Get("Content-Type"), w.body.Bytes()}, nil
}

type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(p []byte) (int, error) { return w.body.Write(p) }

func main() {
	settings := cache.FromMap(map[string]any{"CACHE_TYPE": "simple", "CACHE_KEY_PREFIX": "shop:"})
	c, err := cache.Open(context.Background(), settings.Override(cache.FromEnv(os.Environ())))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	news := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("rendering", r.URL)
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintln(w, "the news")
	})
	server := httptest.NewServer(cached(cache.Of[page](c), time.Minute, news))
	defer server.Close()

	for range 2 {
		response, err := http.Get(server.URL + "/news?page=1")
		if err != nil {
			log.Fatal(err)
		}
		response.Body.Close()
		fmt.Println(response.Status)
	}
}
