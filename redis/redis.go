package redis

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"sync/atomic"
	"time"
	"unsafe"

	cache "github.com/cachebackends/cachebackends/core"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Backend keeps entries in Redis. It is safe for concurrent use.
type Backend struct {
	client     goredis.UniversalClient // is one or cluster
	one        *goredis.Client         // one server, or the primary that sentinels name
	cluster    *goredis.ClusterClient  // nil where there is none
	borrowed   bool
	allowFlush bool
	shared     *shared // nil where every call goes alone
	calls      atomic.Int32
	incMethod  atomic.Int32 // index in incMethods
	closed     atomic.Bool
}

// New returns a Backend that opens connections when they are needed: a server need
// not be there yet, and Ping tells whether it is. All that is wrong with o is
// reported at once.
func New(ctx context.Context, o Options) (*Backend, error) {
	o, err := o.resolved()
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if addr, is := o.exposed(); is {
		slog.WarnContext(ctx, "redis: the password is sent to the server without TLS", "server", addr)
	}
	b := newBackend(o.client(), o)
	b.borrowed = false
	return b, nil
}

// NewFromClient returns a Backend over a client of the application, a
// *goredis.Client or *goredis.ClusterClient, and never closes it. Of o, only
// AllowFlush and NoAutoPipeline may be set, for the client has its settings: with
// ContextTimeoutEnabled it keeps the deadlines of calls, without it only its own
// ReadTimeout. Writes are sent at most once, whatever its MaxRetries.
func NewFromClient(client goredis.UniversalClient, o Options) (*Backend, error) {
	rest := o
	rest.AllowFlush, rest.NoAutoPipeline = false, false
	if !reflect.ValueOf(rest).IsZero() {
		return nil, fmt.Errorf("redis: a client that is handed over has its settings already: " +
			"only AllowFlush and NoAutoPipeline may be given with it")
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
	return nil, fmt.Errorf("redis: a %T is no client of one server or of a cluster", client)
}

func newBackend(client goredis.UniversalClient, o Options) *Backend {
	b := &Backend{client: client, borrowed: true, allowFlush: o.AllowFlush}
	b.one, _ = client.(*goredis.Client)
	b.cluster, _ = client.(*goredis.ClusterClient)
	if b.one != nil && !o.NoAutoPipeline && o.ClientSideCache == 0 {
		b.shared = newShared(b)
	}
	return b
}

// client returns what the driver has for the topology of o.
func (o Options) client() goredis.UniversalClient {
	u := goredis.UniversalOptions{
		Addrs:    o.addrs(),
		Dialer:   o.dialer(),
		Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLS,
		MasterName: o.SentinelMaster, SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		PoolSize: o.PoolSize, MinIdleConns: o.MinIdleConns,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
		ReadOnly:              o.ReadFromReplicas,
		ContextTimeoutEnabled: true,
		DialerRetries:         1,  // five, with pauses, would make half a second of a refused connection
		MaxRetries:            -1, // this package knows which commands may be repeated
		DisableIdentity:       true,
		PipelinePoolSize:      -1, // no second pool: PoolSize says how many connections there are
		OnConnect:             onConnect,
		// It would stretch the timeouts that the documentation promises.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch {
	case len(o.Cluster) > 0:
		options := u.Cluster()
		// A dead primary makes no error that reloads the map of the cluster.
		options.ClusterStateReloadInterval = time.Second
		// They need the right to ask for COMMAND, and send it with every call where it is missing.
		options.DisableRoutingPolicies = true
		return hookedCluster(goredis.NewClusterClient(options))
	case len(o.Sentinels) > 0 && o.ReadFromReplicas:
		return hookedCluster(goredis.NewFailoverClusterClient(u.Failover()))
	case len(o.Sentinels) > 0:
		client := goredis.NewFailoverClient(u.Failover())
		client.AddHook(dialing{})
		return client
	}
	if o.ClientSideCache > 0 {
		u.ClientSideCacheConfig = &goredis.ClientSideCacheConfig{MaxEntries: o.ClientSideCache, MaxStaleness: time.Second}
	}
	client := goredis.NewClient(u.Simple())
	client.AddHook(dialing{})
	return client
}

func hookedCluster(client *goredis.ClusterClient) *goredis.ClusterClient {
	client.OnNewNode(func(node *goredis.Client) { node.AddHook(dialing{}) })
	return client
}

// maxValue is the default of the server's proto-max-bulk-len.
const maxValue = 512 << 20

// Get returns the value of key.
func (b *Backend) Get(ctx context.Context, key string) ([]byte, bool, error) {
	cmd := goredis.NewStringCmd(ctx, "get", key)
	text, err := result(cmd, b.read(ctx, cmd, true))
	if err == goredis.Nil {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return bytesOf(text), true, nil
}

// bytesOf returns the memory of text, which the driver made for us and nobody
// else holds.
func bytesOf(text string) []byte {
	if text == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(text), len(text))
}

// Set stores value. Life begins when the server executes it.
func (b *Backend) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := tooLarge(value); err != nil {
		return err
	}
	cmd := once{setCmd(ctx, key, value, lifeArgs(ttl))}
	share := len(value) <= largest
	err := b.process(ctx, cmd, share)
	if isBroken(err) && b.again(ctx, cmd, share) == nil {
		return nil
	}
	return b.failure(ctx, err, true) // the first, for something was sent then
}

// Add is one SET NX PX.
func (b *Backend) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := tooLarge(value); err != nil {
		return false, err
	}
	args := append(setArgs(key, value, lifeArgs(ttl)), "nx")
	cmd := goredis.NewBoolCmd(ctx, args...)
	return result(cmd, b.write(ctx, cmd, len(value) <= largest))
}

// Delete removes key; the server frees its memory in the background.
func (b *Backend) Delete(ctx context.Context, key string) (bool, error) {
	cmd := goredis.NewIntCmd(ctx, "unlink", key)
	removed, err := result(cmd, b.write(ctx, cmd, true))
	return removed == 1, err
}

// Has asks for key without its value.
func (b *Backend) Has(ctx context.Context, key string) (bool, error) {
	cmd := goredis.NewIntCmd(ctx, "exists", key)
	present, err := result(cmd, b.read(ctx, cmd, true))
	return present == 1, err
}

// TTL returns the remaining life of key.
func (b *Backend) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	cmd := goredis.NewIntCmd(ctx, "pttl", key)
	ms, err := result(cmd, b.read(ctx, cmd, true))
	switch {
	case err != nil, ms == -2:
		return 0, false, err
	case ms == -1:
		return 0, true, nil
	default:
		// The server counts begun milliseconds, and a key lives to the end of its last.
		return time.Duration(min(ms+1, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond, true, nil
	}
}

// Ping asks every primary.
func (b *Backend) Ping(ctx context.Context) error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	err := b.eachPrimary(ctx, func(ctx context.Context, client *goredis.Client) error { return client.Ping(ctx).Err() })
	return b.failure(ctx, err, false)
}

// CopiesValues reports that no memory is shared with the caller.
func (b *Backend) CopiesValues() bool { return true }

// Close closes the connections, unless they belong to a borrowed client.
func (b *Backend) Close() error {
	if b.closed.Swap(true) || b.borrowed {
		return nil
	}
	return b.client.Close()
}

// once is a command that the driver must not repeat by itself.
type once struct{ goredis.Cmder }

// NoRetry is asked by the driver.
func (once) NoRetry() bool { return true }

// alone is how many calls at a time go each its own way. Beyond it a shared round
// trip saves more than the wait for it costs, at any distance of the server.
const alone = 4

// process runs one command, in a round trip with others where both sides may share.
func (b *Backend) process(ctx context.Context, cmd goredis.Cmder, share bool) error {
	if b.closed.Load() {
		return cache.ErrClosed
	}
	if b.shared == nil {
		return b.client.Process(ctx, cmd)
	}
	defer b.calls.Add(-1)
	n := b.calls.Add(1)
	if n == 1 || !share || n <= alone && !b.shared.busy.Load() {
		return b.one.Process(ctx, cmd)
	}
	return b.shared.process(ctx, cmd)
}

// read runs a command that may be repeated. It returns goredis.Nil as it is.
func (b *Backend) read(ctx context.Context, cmd goredis.Cmder, share bool) error {
	err := b.process(ctx, cmd, share)
	if isBroken(err) {
		err = b.again(ctx, cmd, share)
	}
	if err == nil || err == goredis.Nil {
		return err
	}
	return b.failure(ctx, err, false)
}

// write runs a command that may be executed only once.
func (b *Backend) write(ctx context.Context, cmd goredis.Cmder, share bool) error {
	return b.failure(ctx, b.process(ctx, once{cmd}, share), true)
}

// result returns the value of cmd if err, the outcome of cmd, is nil. A command that
// was abandoned still belongs to the pipeline, which may write its value at any time.
func result[T any](cmd interface{ Val() T }, err error) (val T, _ error) {
	if err != nil {
		return val, err
	}
	return cmd.Val(), nil
}

// again repeats a command whose connection broke: once, and once more for each idle
// connection, which may have broken at the same time. Over TLS the driver does not
// notice that before it uses them.
func (b *Backend) again(ctx context.Context, cmd goredis.Cmder, share bool) (err error) {
	for range 1 + b.client.PoolStats().IdleConns {
		if err = b.process(ctx, cmd, share); !isBroken(err) {
			break
		}
	}
	return err
}

// eachPrimary calls do for every server that takes writes, several at a time.
func (b *Backend) eachPrimary(ctx context.Context, do func(context.Context, *goredis.Client) error) error {
	if b.cluster != nil {
		return b.cluster.ForEachMaster(ctx, do)
	}
	return do(ctx, b.one)
}

func setCmd(ctx context.Context, key string, value []byte, life []any) *goredis.StatusCmd {
	return goredis.NewStatusCmd(ctx, setArgs(key, value, life)...)
}

// setArgs leaves room for one argument more.
func setArgs(key string, value any, life []any) []any {
	return append(append(make([]any, 0, 6), "set", key, value), life...)
}

// lifeArgs are the arguments of SET that say how long.
func lifeArgs(ttl time.Duration) []any {
	if ttl == 0 {
		return nil
	}
	return []any{"px", milliseconds(ttl)}
}

// milliseconds rounds up, without the overflow of adding first.
func milliseconds(d time.Duration) int64 {
	ms := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ms++
	}
	return ms
}

func tooLarge(value []byte) error {
	if len(value) > maxValue {
		return fmt.Errorf("%w: %d bytes, the server takes %d", cache.ErrTooLarge, len(value), maxValue)
	}
	return nil
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
