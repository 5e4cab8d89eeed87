package redis

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

// Backend keeps entries in Redis. It is safe for concurrent use.
type Backend struct {
	client     goredis.UniversalClient // one or cluster
	one        *goredis.Client         // one server, or the primary that sentinels monitor
	cluster    *goredis.ClusterClient  // nil if there is none
	pipeline   *pipeline               // of one server, nil if every call has a round trip of its own
	pipelines  *pipelines              // of the nodes of a cluster, nil likewise
	options    Options                 // zero for a client of the application
	borrowed   bool
	allowFlush bool
	flask      bool
	publishes  bool         // Options.PublishChanges
	conns      *connections // with sentinels, except of a client of the application; else nil
	incMethod  atomic.Int32 // index of incMethods
	mapKnown   atomic.Bool  // of the cluster, see Place
	closed     atomic.Bool
	open       context.Context // ends with Close
	close      context.CancelFunc
}

// New returns a Backend that opens connections when they are needed: the server need
// not be reachable yet, and Ping reports whether it is. The error lists everything that
// is wrong with o.
func New(ctx context.Context, o Options) (*Backend, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if addr, found := o.unprotected(); found {
		slog.WarnContext(ctx, "redis: the password is sent to the server without TLS", "server", addr)
	}
	b := newBackend(o.client(), o)
	b.options, b.borrowed = o, false
	if len(o.Sentinels) > 0 && b.one != nil {
		b.conns = &connections{open: map[*trackedConn]struct{}{}}
		b.one.AddHook(b.conns)
	}
	return b, nil
}

// NewFromClient returns a Backend over a client of the application, a *goredis.Client
// or *goredis.ClusterClient. Close does not close the client. Only AllowFlush, Flask,
// NoAutoPipeline and PublishChanges of o may be set: the client is already configured. If it has
// ContextTimeoutEnabled, calls return at the deadlines of their contexts, otherwise
// only at its ReadTimeout. It does not notice a cancellation before then. Writes that are not idempotent are sent at most once,
// whatever its MaxRetries. Its replies are not bounded.
func NewFromClient(client goredis.UniversalClient, o Options) (*Backend, error) {
	if err := driver.CheckBorrowed(&o, "AllowFlush", "Flask", "NoAutoPipeline", "PublishChanges"); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	switch c := client.(type) {
	case *goredis.Client:
		if c != nil {
			return newBackend(c, o), nil
		}
	case *goredis.ClusterClient:
		if c != nil {
			return newBackend(c, o), nil
		}
	}
	return nil, fmt.Errorf("redis: %w: unsupported client %T: want *redis.Client or *redis.ClusterClient, not nil",
		driver.ErrInvalidSettings, client)
}

func newBackend(client goredis.UniversalClient, o Options) *Backend {
	b := &Backend{client: client, borrowed: true, allowFlush: o.AllowFlush, flask: o.Flask, publishes: o.PublishChanges}
	b.open, b.close = context.WithCancel(context.Background())
	b.one, _ = client.(*goredis.Client)
	b.cluster, _ = client.(*goredis.ClusterClient)
	switch {
	case o.NoAutoPipeline:
	case b.cluster == nil:
		b.pipeline = newPipeline(b, b.one.Options().PoolTimeout)
	case !b.cluster.Options().ReadOnly: // otherwise replicas share the slots of a node
		b.pipelines = newPipelines(b)
	}
	return b
}

// maxValue is the default of the server's proto-max-bulk-len.
const maxValue = 512 << 20

// Get returns the value of key.
func (b *Backend) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := b.check(key); err != nil {
		return nil, false, err
	}
	get := b.newGet(ctx, key)
	text, err := result(get.cmd, b.read(ctx, get.cmd))
	switch err {
	case nil:
		get.free()
		return b.value(bytesOf(text)), true, nil
	case errMiss:
		get.free()
		return nil, false, nil
	}
	return nil, false, err
}

// noReply is the value of a GET that has not received its reply.
const noReply = "no reply"

func getCmd(ctx context.Context, key string) *goredis.StringCmd {
	cmd := goredis.NewStringCmd(ctx, "get", key)
	prepare(cmd)
	return cmd
}

// prepare makes a GET ready to be sent, for the first time or again.
func prepare(cmd goredis.Cmder) {
	switch get := mainCommand(cmd).(type) {
	case *goredis.StringCmd:
		get.SetVal(noReply)
	case *appendCmd:
		get.reset()
	}
}

// isMiss reports whether cmd is a GET, or a plan of one, whose own reply is null. The driver also returns
// goredis.Nil for a command that it has not sent: if a null came instead of the map of a
// cluster, or while the connection was set up.
func isMiss(cmd goredis.Cmder, err error) bool {
	get, ok := mainCommand(cmd).(*goredis.StringCmd)
	return ok && err == goredis.Nil && get.Err() == goredis.Nil && get.Val() != noReply
}

// bytesOf returns the memory of text, which the driver allocated for this call.
func bytesOf(text string) []byte {
	if text == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(text), len(text))
}

// Set stores value. The TTL begins when the server executes the command.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := b.check(key, value); err != nil {
		return err
	}
	set := b.once(b.setCmd(ctx, key, b.stored(value), ttlArgs(ttl)))
	return b.write(ctx, withEndOfLease(ctx, set, key, ttl))
}

// Add stores value if key is absent. If another type is stored under key, Add removes it
// first.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := b.check(key, value); err != nil {
		return false, err
	}
	added, isOther, err := b.add(ctx, key, value, ttl)
	if isOther {
		if err := b.removeOtherType(ctx, key); err != nil {
			return false, err
		}
		added, _, err = b.add(ctx, key, value, ttl)
	}
	return added, err
}

// add also reports whether it failed because another type is stored under key. SET with NX
// and GET, from version 7, would report that too, but return every value that is present.
func (b *Backend) add(ctx context.Context, key string, value []byte, ttl time.Duration) (added, isOther bool, err error) {
	name := any(key) // once, for two commands
	set := goredis.NewBoolCmd(ctx, b.writeArgs(append(setArgs(name, b.stored(value), ttlArgs(ttl)), "nx"), key)...)
	add, kind := b.once(set), typeCmd(ctx, name)
	cmds := []goredis.Cmder{add, kind}
	if endsLease(ttl) {
		cmds = append(cmds, endLease(ctx, key))
	}
	if err := b.write(ctx, &plan{add, cmds}); err != nil {
		return false, false, err
	}
	return set.Val(), !set.Val() && isOtherType(kind), nil
}

// Delete removes key; the server frees its memory in the background.
func (b *Backend) Delete(ctx context.Context, key string) (bool, error) {
	if err := b.check(key); err != nil {
		return false, err
	}
	var d deletion
	err := b.write(ctx, d.init(ctx, b, key))
	return err == nil && d.done(), err
}

// deletion removes the lease of a key and then the key. While the key is present, no
// caller gets another lease. What its three commands refer to is a part of it: a pointer
// needs no memory to become an any.
type deletion struct {
	plan
	attempt    singleAttempt
	kind       *goredis.StatusCmd
	removed    *goredis.IntCmd
	key, lease string
	args       [3 * 2]any
	cmds       [3]goredis.Cmder
}

func (d *deletion) init(ctx context.Context, b *Backend, key string) *plan {
	d.key, d.lease = key, leaseName(key)
	d.args = [...]any{"type", &d.key, "unlink", &d.lease, "unlink", &d.key}
	d.kind, d.removed = goredis.NewStatusCmd(ctx, d.args[0:2:2]...), goredis.NewIntCmd(ctx, b.writeArgs(d.args[4:6:6], key)...)
	d.attempt = singleAttempt{Cmder: d.removed, unplaced: b.cluster != nil}
	d.cmds = [...]goredis.Cmder{d.kind, goredis.NewCmd(ctx, d.args[2:4:4]...), &d.attempt}
	d.plan = plan{&d.attempt, d.cmds[:]}
	return &d.plan
}

// done reports whether the key was present, after a deletion without an error.
func (d *deletion) done() bool { return d.removed.Val() == 1 && !isOtherType(d.kind) }

// Has reports whether key is present, without reading its value.
func (b *Backend) Has(ctx context.Context, key string) (bool, error) {
	if err := b.check(key); err != nil {
		return false, err
	}
	cmd := typeCmd(ctx, key)
	kind, err := result(cmd, b.read(ctx, cmd))
	return kind == typeString, err
}

// TTL returns the remaining TTL of key.
func (b *Backend) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	if err := b.check(key); err != nil {
		return 0, false, err
	}
	args := [...]any{"pttl", &key, "type", &key} // as in deletion
	cmd, kind := goredis.NewIntCmd(ctx, args[0:2:2]...), goredis.NewStatusCmd(ctx, args[2:4:4]...)
	ms, err := result(cmd, b.read(ctx, &plan{cmd, []goredis.Cmder{kind, cmd}}))
	switch {
	case err != nil, ms == absent, isOtherType(kind):
		return 0, false, err
	}
	return remainingTTL(ms), true, nil
}

// Replies to PTTL that are no TTL.
const (
	neverExpires = -1
	absent       = -2
)

// remainingTTL returns the TTL in a reply to PTTL, 0 if the key never expires. The server
// counts milliseconds that have begun, and a key lives until its last one ends.
func remainingTTL(ms int64) time.Duration {
	if ms == neverExpires {
		return 0
	}
	return time.Duration(min(ms+1, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

// Ping sends a command to every primary.
func (b *Backend) Ping(ctx context.Context) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	err := b.eachPrimary(ctx, func(ctx context.Context, client *goredis.Client) error {
		return repeat(client, func() error { return client.Ping(ctx).Err() })
	})
	return b.failure(ctx, err, false)
}

// CopiesValues reports that values share no memory with the caller.
func (b *Backend) CopiesValues() bool { return true }

// Close closes the connections, but not those of a client of the application.
func (b *Backend) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.close()
	if b.borrowed {
		return nil
	}
	return b.client.Close()
}

// check returns the error of an operation that must not be sent.
func (b *Backend) check(key string, values ...[]byte) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	if isLeaseName(key) {
		return errLeaseName
	}
	for _, value := range values {
		if err := b.checkSize(value); err != nil {
			return err
		}
	}
	return nil
}

func (b *Backend) checkSize(value []byte) error {
	limit := maxValue
	if b.flask {
		limit -= 1 // for the mark
	}
	if len(value) > limit {
		return fmt.Errorf("%w: %d bytes, the limit is %d", driver.ErrTooLarge, len(value), limit)
	}
	return nil
}

func (b *Backend) setCmd(ctx context.Context, key string, value []byte, ttl []any) *goredis.StatusCmd {
	return goredis.NewStatusCmd(ctx, b.writeArgs(setArgs(key, value, ttl), key)...)
}

// setArgs leaves room for one more argument.
func setArgs(key, value any, ttl []any) []any {
	return append(append(make([]any, 0, 6), "set", key, value), ttl...)
}

// ttlArgs are the arguments of SET for a TTL.
func ttlArgs(ttl time.Duration) []any {
	if ttl == 0 {
		return nil
	}
	return []any{"px", driver.RoundUp(ttl, time.Millisecond)}
}

var (
	_ driver.Backend       = (*Backend)(nil)
	_ driver.Placer        = (*Backend)(nil)
	_ driver.Haser         = (*Backend)(nil)
	_ driver.ManyGetter    = (*Backend)(nil)
	_ driver.ManySetter    = (*Backend)(nil)
	_ driver.ManyDeleter   = (*Backend)(nil)
	_ driver.Counter       = (*Backend)(nil)
	_ driver.PrefixClearer = (*Backend)(nil)
	_ driver.TTLer         = (*Backend)(nil)
	_ driver.Pinger        = (*Backend)(nil)
	_ driver.Copier        = (*Backend)(nil)
	_ driver.Leaser        = (*Backend)(nil)
	_ driver.Swapper       = (*Backend)(nil)
)
