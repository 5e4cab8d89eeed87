package gcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Rule SEC-2 of the contract: a response that is not the service's is an error, not a hit,
// a miss or a success. The request is not repeated.
func TestForeignReplies(t *testing.T) {
	for _, client := range []string{"own", "borrowed"} {
		for answer := range foreignAnswers {
			t.Run(client+" client, "+answer, func(t *testing.T) {
				atOnce(t, func(t *testing.T, v verb) {
					switch {
					case v.request == "delete" && answer == "empty":
						t.Skip("this is what the service responds with")
					case v.request == "delete" && answer == "json":
						t.Skip("this is what emulators respond with")
					case client == "borrowed" && (v.request == "delete" || v.request == "list"):
						t.Skip("the client library does not show the response")
					case client == "borrowed" && strings.HasPrefix(answer, "page "):
						t.Skip("the client library shows the status alone")
					}
					f, b := ready(t)
					if client == "borrowed" {
						b = borrow(t, f, Options{AllowFlush: true})
					}
					want := driver.ErrUnavailable
					if v.request == "write" || v.request == "delete" {
						want = driver.ErrUnknownOutcome
					}
					if v.name == "Add" {
						delete(f.objects, "k")
					}
					f.on(v.request, always(answer))
					if err := v.call(t.Context(), b, v.key); !errors.Is(err, want) {
						t.Errorf("%s: %v; want %v", v.name, err, want)
					}
					if n := f.count(v.request); n != 1 {
						t.Errorf("%s: %d requests; want 1", v.name, n)
					}
				})
			})
		}
	}
}

// A portal answers every request alike. No verb reports a success.
func TestCaptivePortal(t *testing.T) {
	for answer, respond := range foreignAnswers {
		portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			respond(w)
		}))
		defer portal.Close()
		b := start(t, &fake{url: portal.URL}, Options{AllowFlush: true})
		for _, v := range verbs {
			if v.name == "Release" && (answer == "json" || answer == "empty") {
				continue // the response to a delete, of the service or an emulator, looks like this
			}
			if err := v.call(t.Context(), b, v.key); !errors.Is(err, driver.ErrUnavailable) && !errors.Is(err, driver.ErrUnknownOutcome) {
				t.Errorf("%s, %s: %v", answer, v.name, err)
			}
		}
	}
}

// Rule SEC-2 of the contract: the token and the value stay with the configured host.
func TestRedirectIsNotFollowed(t *testing.T) {
	const secret = "hunter2"
	var other atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		other.Add(1)
		io.WriteString(w, `{"generation": "1"}`)
	}))
	defer elsewhere.Close()
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token": "`+secret+`", "token_type": "Bearer", "expires_in": 3600}`)
	}))
	defer tokens.Close()
	asServiceAccount(t, tokens.URL)
	for _, code := range []int{301, 302, 303, 307, 308} {
		asked := 0
		portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			if r.Header.Get("Authorization") != "Bearer "+secret {
				t.Error("the request has no token")
			}
			io.Copy(io.Discard, r.Body)
			http.Redirect(w, r, elsewhere.URL+"/?session=x", code)
		}))
		defer portal.Close()
		b, err := New(t.Context(), Options{Bucket: "b", Endpoint: portal.URL, AllowFlush: true})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		for _, v := range verbs {
			asked = 0
			err := v.call(t.Context(), b, v.key)
			if !errors.Is(err, driver.ErrUnavailable) && !errors.Is(err, driver.ErrUnknownOutcome) {
				t.Errorf("%d, %s: %v", code, v.name, err)
			}
			if asked != 1 || !strings.Contains(fmt.Sprint(err), "to "+elsewhere.URL) || strings.Contains(fmt.Sprint(err), "session") {
				t.Errorf("%d, %s: %v after %d requests; want the host it leads to", code, v.name, err, asked)
			}
		}
	}
	if n := other.Load(); n > 0 {
		t.Errorf("%d requests went to another host", n)
	}
}

// Rule SEC-1 of the contract: an endless error response takes a bounded amount of memory.
func TestEndlessReply(t *testing.T) {
	sent := make(chan int64, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		var n int64
		page := make([]byte, 1<<20)
		for {
			m, err := w.Write(page)
			if n += int64(m); err != nil || n > 1<<30 {
				sent <- n
				return
			}
		}
	}))
	defer server.Close()
	b := start(t, &fake{url: server.URL}, Options{})
	for _, v := range verbs[:3] {
		if err := v.call(t.Context(), b, v.key); err == nil || len(err.Error()) > 5000 {
			t.Errorf("%s: %.100v", v.name, err)
		}
		if n := <-sent; n > 4*maxReply {
			t.Errorf("%s: the server could send %d bytes", v.name, n)
		}
	}
}

// Rule OUT-1 of the contract: the set-up of a connection is not sending.
func TestSilentHandshake(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never responds
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	b := start(t, &fake{url: "https://" + listener.Addr().String()}, Options{AllowFlush: true})
	atOnce(t, func(t *testing.T, v verb) {
		err := v.call(soon(t, 50*time.Millisecond), b, v.key)
		if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v; want ErrUnavailable and DeadlineExceeded", v.name, err)
		}
	})
}
