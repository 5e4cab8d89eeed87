package gcs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"cloud.google.com/go/storage"
	cache "github.com/cachebackends/cachebackends/core"
	"google.golang.org/api/option"
	htransport "google.golang.org/api/transport/http"
)

// Backend keeps entries in a bucket. It is safe for concurrent use.
type Backend struct {
	bucket      *storage.BucketHandle
	name        string        // of the bucket
	direct      *direct       // nil where the client is borrowed
	close       func() error  // nil where the client is borrowed
	prefix      string        // before every object name
	purges      bool          // DeleteExpiredOnRead
	concurrency int           // of a batch
	timeout     time.Duration // where a context has no deadline
	allowFlush  bool
	counting    turns       // of Inc
	found       atomic.Bool // the bucket, at least once
	closed      atomic.Bool
}

// New returns a Backend on a bucket that need not be within reach yet, and Ping
// tells whether it is; credentials, though, have to be found. All that is wrong with
// o is reported at once.
func New(ctx context.Context, o Options) (*Backend, error) {
	o, err := o.resolved()
	if err != nil {
		return nil, fmt.Errorf("gcs: %w", err)
	}
	// Tokens are renewed with this context, long after New.
	ctx = context.WithoutCancel(ctx)
	access := option.WithScopes(storage.ScopeReadWrite)
	if o.Anonymous {
		access = option.WithoutAuthentication()
	}
	wire := newTransport(o.Concurrency)
	authorized, err := htransport.NewTransport(ctx, wire, access, option.WithEndpoint(o.Endpoint), option.WithTelemetryDisabled())
	if err != nil {
		return nil, fmt.Errorf("gcs: %w: %w", cache.ErrAuth, err)
	}
	httpClient := &http.Client{Transport: authorized}
	client, err := storage.NewClient(ctx, option.WithHTTPClient(httpClient), option.WithEndpoint(o.url("/storage/v1/")),
		option.WithoutAuthentication()) // beyond that of the HTTP client
	if err != nil {
		return nil, fmt.Errorf("gcs: %w", err)
	}
	b := newBackend(client, o)
	b.direct = &direct{
		http:    httpClient,
		batch:   o.url("/batch/storage/v1"),
		upload:  o.url("/upload/storage/v1/b/" + url.PathEscape(o.Bucket) + "/o"),
		objects: o.url("/" + url.PathEscape(o.Bucket) + "/"),
	}
	b.close = func() error {
		defer wire.CloseIdleConnections()
		return client.Close()
	}
	return b, nil
}

// NewFromClient returns a Backend over an HTTP client of the application, not one
// that storage.NewGRPCClient made, and never closes it. The client has its
// credentials and its endpoint, so that Anonymous and Endpoint of o may not be set.
// How it retries does not matter. If it reads with storage.WithJSONReads, a hit is
// two requests. Without the means to ask for many things in one request, batches
// of deletes are single ones side by side.
func NewFromClient(client *storage.Client, o Options) (*Backend, error) {
	if client == nil {
		return nil, errors.New("gcs: the client is nil")
	}
	if o.Anonymous || o.Endpoint != "" {
		return nil, errors.New("gcs: a client that is handed over has its settings already: Anonymous and Endpoint may not be given with it")
	}
	o, err := o.resolved()
	if err != nil {
		return nil, fmt.Errorf("gcs: %w", err)
	}
	return newBackend(client, o), nil
}

func newBackend(client *storage.Client, o Options) *Backend {
	return &Backend{
		// This package knows better what may be repeated, and for how long.
		bucket: client.Bucket(o.Bucket).Retryer(storage.WithPolicy(storage.RetryNever)),
		name:   o.Bucket, prefix: o.Prefix, purges: o.DeleteExpiredOnRead,
		concurrency: o.Concurrency, timeout: o.Timeout, allowFlush: o.AllowFlush,
		counting: turns{taken: map[string]chan struct{}{}},
	}
}

// newTransport is that of the client library, but for connections that are as many
// as requests of a batch, and a bound on how long a dead one stays unnoticed.
func newTransport(concurrency int) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: max(concurrency, 100),
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 31 * time.Second},
	}
}

// Get is one request, which returns the bytes and the expiry together.
func (b *Backend) Get(ctx context.Context, key string) ([]byte, bool, error) {
	o, err := b.object(key)
	if err != nil {
		return nil, false, err
	}
	value, e, ok, err := b.read(ctx, o)
	if err != nil || !ok {
		return nil, false, err
	}
	return value, b.alive(ctx, o, e), nil
}

// Set is one request. Life begins before it.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	expires := endOf(ttl)
	o, err := b.object(key)
	if err != nil {
		return err
	}
	return b.do(ctx, write, func(ctx context.Context) error { return b.put(ctx, o, storage.Conditions{}, value, expires, "") })
}

// Add stores on the condition that there is no object. Where there is one it is
// asked for its expiry, and an expired one is replaced on the condition that it is
// still the same.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	expires := endOf(ttl)
	o, err := b.object(key)
	if err != nil {
		return false, err
	}
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	condition := storage.Conditions{DoesNotExist: true}
	for {
		added, err := b.putIf(ctx, o, condition, value, expires)
		if added || err != nil {
			return added, err
		}
		e, there, err := b.attributes(ctx, o)
		switch {
		case err != nil:
			return false, err
		case there && !e.isExpired():
			return false, nil
		case there:
			condition = storage.Conditions{GenerationMatch: e.generation}
		default: // gone in the meantime
			condition = storage.Conditions{DoesNotExist: true}
		}
	}
}

// Delete asks for the expiry first, for an expired object was not there. It, too,
// is removed.
func (b *Backend) Delete(ctx context.Context, key string) (bool, error) {
	o, err := b.object(key)
	if err != nil {
		return false, err
	}
	e, there, err := b.attributes(ctx, o)
	if err != nil || !there {
		return false, err
	}
	if e.isExpired() {
		b.purge(ctx, o, e)
		return false, nil
	}
	err = b.do(ctx, once, func(ctx context.Context) error { return o.Delete(ctx) })
	if errors.Is(err, errAbsent) {
		return false, nil
	}
	return err == nil, err
}

// Has asks for the attributes of the object.
func (b *Backend) Has(ctx context.Context, key string) (bool, error) {
	_, ok, err := b.TTL(ctx, key)
	return ok, err
}

// TTL returns the remaining life of key, by the clock of this machine.
func (b *Backend) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	o, err := b.object(key)
	if err != nil {
		return 0, false, err
	}
	e, there, err := b.attributes(ctx, o)
	if err != nil || !there || !b.alive(ctx, o, e) {
		return 0, false, err
	}
	return e.ttl(), true, nil
}

// Ping asks for the name of one object, whichever.
func (b *Backend) Ping(ctx context.Context) error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	_, _, err := b.list(ctx, "", "", 1)
	return err
}

// CopiesValues reports that no memory is shared with the caller.
func (b *Backend) CopiesValues() bool { return true }

// Close closes the connections, unless they belong to a borrowed client. Calls
// under way finish.
func (b *Backend) Close() error {
	if b.closed.Swap(true) || b.close == nil {
		return nil
	}
	return b.close()
}

// object returns the handle of key, or why there is none.
func (b *Backend) object(key string) (*storage.ObjectHandle, error) {
	if b.closed.Load() {
		return nil, cache.ErrClosed
	}
	name := b.prefix + key
	if err := checkName(name); err != nil {
		return nil, err
	}
	return b.bucket.Object(name), nil
}

// alive reports whether the life of e goes on. An expired object is removed where
// the options say so.
func (b *Backend) alive(ctx context.Context, o *storage.ObjectHandle, e entry) bool {
	if !e.isExpired() {
		return true
	}
	if b.purges {
		b.purge(ctx, o, e)
	}
	return false
}

// purge removes an expired object, not one that has taken its place. If that does
// not succeed, the object stays as expired as it was.
func (b *Backend) purge(ctx context.Context, o *storage.ObjectHandle, e entry) {
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	_ = o.If(storage.Conditions{GenerationMatch: e.generation}).Delete(ctx)
}

// attributes returns what is known of an object without its bytes.
func (b *Backend) attributes(ctx context.Context, o *storage.ObjectHandle) (e entry, there bool, err error) {
	err = b.do(ctx, read, func(ctx context.Context) error {
		attrs, err := o.Attrs(ctx)
		if err == nil {
			e = entryOf(attrs.Generation, attrs.Metadata)
		}
		return err
	})
	there, err = b.isThere(ctx, err)
	return e, there, err
}

// isThere makes a miss of err where it says so. A missing bucket says the same: as
// long as the bucket has never been seen, it is asked for.
func (b *Backend) isThere(ctx context.Context, err error) (bool, error) {
	if err == nil {
		b.found.Store(true)
	}
	if !errors.Is(err, errAbsent) {
		return err == nil, err
	}
	if b.found.Load() {
		return false, nil
	}
	// Without the right to list there is no knowing, and errors that pass do not
	// turn a miss into an error either.
	if _, _, err := b.list(ctx, "", "", 1); errors.Is(err, storage.ErrBucketNotExist) {
		return false, err
	}
	return false, nil
}

var (
	_ cache.Backend       = (*Backend)(nil)
	_ cache.Haser         = (*Backend)(nil)
	_ cache.ManyGetter    = (*Backend)(nil)
	_ cache.ManySetter    = (*Backend)(nil)
	_ cache.ManyDeleter   = (*Backend)(nil)
	_ cache.Counter       = (*Backend)(nil)
	_ cache.PrefixClearer = (*Backend)(nil)
	_ cache.TTLer         = (*Backend)(nil)
	_ cache.Pinger        = (*Backend)(nil)
	_ cache.Copier        = (*Backend)(nil)
)
