package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cache "github.com/cachebackends/cachebackends/core"
	"github.com/cachebackends/cachebackends/gcs"
)

// gcsProxy forwards requests to the fake and can respond to some itself.
type gcsProxy struct {
	url      string
	requests atomic.Int64
	fault    atomic.Pointer[func(w http.ResponseWriter, r *http.Request, next http.Handler)]
}

func startGCSProxy(t *testing.T) *gcsProxy {
	t.Helper()
	endpoint, newBucket := startGCS(t)
	newBucket("b")
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	p := &gcsProxy{}
	next := httputil.NewSingleHostReverseProxy(target)
	next.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		if fault := p.fault.Load(); fault != nil {
			(*fault)(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	p.url = server.URL
	return p
}

// during sets a fault and resets the count of requests.
func (p *gcsProxy) during(fault func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	p.requests.Store(0)
	p.fault.Store(&fault)
}

// firstly sets a fault for the first n requests.
func (p *gcsProxy) firstly(n int64, fault func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	p.during(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if p.requests.Load() > n {
			next.ServeHTTP(w, r)
			return
		}
		fault(w, r, next)
	})
}

func answering(code int) func(http.ResponseWriter, *http.Request, http.Handler) {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		io.Copy(io.Discard, r.Body)
		http.Error(w, http.StatusText(code), code)
	}
}

// losing executes the request and drops the response.
func losing(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// cutting sends half of the response.
func cutting(w http.ResponseWriter, r *http.Request, next http.Handler) {
	recorded := httptest.NewRecorder()
	next.ServeHTTP(recorded, r)
	for name, values := range recorded.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(recorded.Code)
	w.Write(recorded.Body.Bytes()[:recorded.Body.Len()/2])
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func openGCS(t *testing.T, endpoint string) *cache.Cache {
	t.Helper()
	b, err := gcs.New(t.Context(), gcs.Options{Bucket: "b", Endpoint: endpoint, Anonymous: true})
	return opened(t, b, err)
}

// gcsCalls are the operations of one key.
var gcsCalls = []struct {
	name string
	call func(ctx context.Context, c *cache.Cache) error
}{
	{"Get", func(ctx context.Context, c *cache.Cache) error { _, _, err := c.Get(ctx, "k"); return err }},
	{"Has", func(ctx context.Context, c *cache.Cache) error { _, err := c.Has(ctx, "k"); return err }},
	{"Set", func(ctx context.Context, c *cache.Cache) error { return c.Set(ctx, "k", []byte("v")) }},
	{"Add", func(ctx context.Context, c *cache.Cache) error { _, err := c.Add(ctx, "new", []byte("v")); return err }},
	{"Inc", func(ctx context.Context, c *cache.Cache) error { _, err := c.Inc(ctx, "n", 1); return err }},
	{"Delete", func(ctx context.Context, c *cache.Cache) error { _, err := c.Delete(ctx, "k"); return err }},
	{"GetMany", func(ctx context.Context, c *cache.Cache) error { _, err := c.GetMany(ctx, "k", "l"); return err }},
	{"DeleteMany", func(ctx context.Context, c *cache.Cache) error { _, err := c.DeleteMany(ctx, "k", "l"); return err }},
	{"Clear", func(ctx context.Context, c *cache.Cache) error {
		return cache.New(c.Backend(), cache.WithPrefix("p")).Clear(ctx)
	}},
}

func TestGCSRefusals(t *testing.T) {
	timed(t)
	p := startGCSProxy(t)
	c := openGCS(t, p.url)
	for _, code := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for _, v := range gcsCalls {
			t.Run(fmt.Sprint(code, v.name), func(t *testing.T) {
				p.firstly(2, answering(code))
				if err := v.call(t.Context(), c); err != nil {
					t.Errorf("refused twice: %v", err)
				}
				patiently(t, func(patience time.Duration) error {
					p.during(answering(code))
					ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
					defer cancel()
					begin := time.Now()
					err := v.call(ctx, c)
					if took := time.Since(begin); took > 6*patience || !errors.Is(err, cache.ErrUnavailable) || p.requests.Load() < 2 {
						return fmt.Errorf("refused all the time: %v after %d requests and %v; want ErrUnavailable", err, p.requests.Load(), took)
					}
					return nil
				})
			})
		}
	}
}

// A condition that never holds is a race that is always lost.
func TestGCSConditions(t *testing.T) {
	timed(t)
	p := startGCSProxy(t)
	c := openGCS(t, p.url)
	p.during(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPost && r.URL.Query().Has("ifGenerationMatch") {
			answering(http.StatusPreconditionFailed)(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
	patiently(t, func(patience time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
		defer cancel()
		if _, err := c.Inc(ctx, "n", 1); err == nil || errors.Is(err, cache.ErrUnknownOutcome) {
			return fmt.Errorf("Inc: %v; want an error that nothing was stored", err)
		}
		return nil
	})
	if err := c.Set(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	if added, err := c.Add(t.Context(), "k", []byte("w")); added || err != nil {
		t.Errorf("Add = %v, %v", added, err)
	}
}

func TestGCSCutBodies(t *testing.T) {
	timed(t)
	p := startGCSProxy(t)
	c := openGCS(t, p.url)
	value := strings.Repeat("0123456789", 50_000)
	if err := c.Set(t.Context(), "k", []byte(value)); err != nil {
		t.Fatal(err)
	}
	p.firstly(1, cutting)
	if got, ok, err := c.Get(t.Context(), "k"); string(got) != value || !ok || err != nil {
		t.Errorf("cut once: %d bytes, %v, %v", len(got), ok, err)
	}
	p.during(cutting)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if got, ok, err := c.Get(ctx, "k"); (err == nil || ok) && string(got) != value {
		t.Errorf("cut all the time: %d bytes, %v, %v", len(got), ok, err)
	}
}

func TestGCSBlackhole(t *testing.T) {
	timed(t)
	p := startGCSProxy(t)
	c := openGCS(t, p.url)
	p.during(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	for _, v := range gcsCalls {
		patiently(t, func(patience time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			begin := time.Now()
			err := v.call(ctx, c)
			if took := time.Since(begin); took > 3*patience || !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("%s with %v: %v after %v; want DeadlineExceeded", v.name, patience, err, took)
			}
			return nil
		})
	}
}

// A request whose reply is lost is executed once.
func TestGCSLostReplies(t *testing.T) {
	timed(t)
	p := startGCSProxy(t)
	c := openGCS(t, p.url)
	lose := func(method string) {
		var lost atomic.Bool
		p.during(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == method && !lost.Swap(true) {
				losing(w, r, next)
			}
			next.ServeHTTP(w, r)
		})
	}
	lose(http.MethodPost)
	if added, err := c.Add(t.Context(), "lock", []byte("mine")); !added || err != nil {
		t.Errorf("Add = %v, %v; want to know its own object", added, err)
	}
	for i := range 3 {
		lose(http.MethodPost)
		if n, err := c.Inc(t.Context(), "n", 1); n != int64(i+1) || err != nil {
			t.Errorf("Inc = %d, %v; want %d", n, err, i+1)
		}
	}
	lose(http.MethodDelete)
	if _, err := c.Delete(t.Context(), "lock"); !errors.Is(err, cache.ErrUnknownOutcome) {
		t.Errorf("Delete: %v; want ErrUnknownOutcome", err)
	}
	if ok, err := c.Has(t.Context(), "lock"); ok || err != nil {
		t.Errorf("Has = %v, %v", ok, err)
	}
}
