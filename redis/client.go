package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/cachebackends/cachebackends/core/driver/remote"
	"github.com/cachebackends/cachebackends/core/driver/remote/cachetls"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// client returns the driver's client for the topology of o.
func (o Options) client() goredis.UniversalClient {
	u := goredis.UniversalOptions{
		Addrs:    o.addrs(),
		Dialer:   o.dialer(),
		Username: o.Username, Password: o.Password.Reveal(), DB: o.DB, TLSConfig: o.TLS,
		MasterName: o.SentinelMaster, SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword.Reveal(),
		PoolSize: o.PoolSize, MinIdleConns: o.MinIdleConns, ConnMaxIdleTime: o.ConnMaxIdleTime,
		DialTimeout: o.DialTimeout, ReadTimeout: longTime, WriteTimeout: longTime, PoolTimeout: o.ReadTimeout + time.Second,
		ReadOnly:              o.ReadFromReplicas,
		ContextTimeoutEnabled: true,
		DialerRetries:         1,  // the default of five, with pauses, takes half a second if the connection is refused
		MaxRetries:            -1, // this package decides which commands may be repeated
		DisableIdentity:       true,
		PipelinePoolSize:      -1, // no second pool beside the one of PoolSize
		OnConnect:             onConnect,
		// Maintenance notifications would extend the timeouts that the documentation promises.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch {
	case len(o.Cluster) > 0:
		options := u.Cluster()
		// The driver does not reload the map of the cluster when a connection is refused.
		options.ClusterStateReloadInterval = time.Second
		// Routing policies need permission for COMMAND; without it the driver sends COMMAND
		// before every call.
		options.DisableRoutingPolicies = true
		return hookedCluster(goredis.NewClusterClient(options))
	case len(o.Sentinels) > 0 && o.ReadFromReplicas:
		return hookedCluster(goredis.NewFailoverClusterClient(u.Failover()))
	case len(o.Sentinels) > 0:
		client := goredis.NewFailoverClient(u.Failover())
		client.AddHook(clientHook{})
		return client
	}
	client := goredis.NewClient(u.Simple())
	client.AddHook(clientHook{})
	return client
}

func hookedCluster(client *goredis.ClusterClient) *goredis.ClusterClient {
	client.OnNewNode(func(node *goredis.Client) { node.AddHook(clientHook{}) })
	return client
}

// dialer dials connections that are guarded and end with their callers. As an option,
// unlike a hook, it is also used for connections to sentinels.
func (o Options) dialer() func(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := goredis.NewDialer(&goredis.Options{DialTimeout: o.DialTimeout})
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, o.DialTimeout)
		defer cancel()
		raw, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		var conn net.Conn = newSocket(raw, o)
		if o.TLS != nil {
			secure := tls.Client(conn, o.tlsConfig(addr))
			if err := secure.HandshakeContext(ctx); err != nil {
				raw.Close()
				return nil, handshakeFailure(err)
			}
			conn = secure
		}
		return guard(conn), nil
	}
}

// tlsConfig names the host whose certificate is expected.
func (o Options) tlsConfig(addr string) *tls.Config {
	config := o.TLS.Clone()
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			host = addr // the path of a unix socket
		}
		config.ServerName = host
	}
	return config
}

// handshakeFailure returns the error of a failed TLS handshake, with its probable cause.
func handshakeFailure(err error) error {
	var notTLS tls.RecordHeaderError
	switch {
	case cachetls.IsRejected(err):
		return err
	case errors.As(err, &notTLS):
		return setUpError{"the server does not use TLS on this port: use redis:// and no settings CACHE_REDIS_TLS_* (Options.TLS)", err}
	case remote.IsBroken(err), remote.IsTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return setUpError{"no TLS handshake: the server may not use TLS on this port, or have too many clients", err}
	}
	return err
}

// clientHook binds exchanges to the contexts of their calls, and turns a failed dial into
// a connection that fails. The driver's pool counts failed dials: after as many as its
// size, it does not dial for up to a second, so a server that is back would still look
// unreachable. The pool does not count broken connections.
type clientHook struct{}

// DialHook is called by the driver for every new connection to a server.
func (clientHook) DialHook(dial goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			nowhere, _ := net.Pipe()
			return failedConn{nowhere, notConnected(err)}, nil
		}
		return conn, nil
	}
}

// ProcessHook is called by the driver for every command.
func (clientHook) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		ctx, c := withCall(ctx)
		defer c.end()
		return next(ctx, cmd)
	}
}

// ProcessPipelineHook is called by the driver for every pipeline.
func (clientHook) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		ctx, c := withCall(ctx)
		defer c.end()
		return next(ctx, cmds)
	}
}

// failedConn is the result of a failed dial. The driver closes one that has waited among
// the idle connections: the dial may have been made for MinIdleConns, or for a caller
// that has left.
type failedConn struct {
	net.Conn
	err error
}

func (c failedConn) Read([]byte) (int, error)  { return 0, c.err }
func (c failedConn) Write([]byte) (int, error) { return 0, c.err }

// SyscallConn is called by the driver to check an idle connection.
func (c failedConn) SyscallConn() (syscall.RawConn, error) { return nil, c.err }

// notConnected marks err as the reason why nothing was sent. It wraps it twice, because
// the driver removes one layer from errors of the set-up of a connection.
func notConnected(err error) error { return fmt.Errorf("connecting: %w", remote.Unsent{Err: err}) }

// onConnect finds out whether a new connection works before a command is sent that must
// be sent at most once: a server with too many clients accepts connections and closes
// them.
func onConnect(ctx context.Context, conn *goredis.Conn) error {
	err := conn.Ping(ctx).Err()
	var reply goredis.Error
	if err == nil || errors.As(err, &reply) { // the command gets the same error reply
		return nil
	}
	return notConnected(err)
}
