package redis

import (
	"context"
	"errors"
	"fmt"
	"net"

	goredis "github.com/redis/go-redis/v9"
)

// dialer returns the driver's own dialling, with a guard around each connection. As
// an option, and not as a hook, it is also used for connections to sentinels.
func (o Options) dialer() func(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := goredis.NewDialer(&goredis.Options{DialTimeout: o.DialTimeout, TLSConfig: o.TLS})
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return guard(conn), nil
	}
}

// dialing is put around the driver's dialling. It is a hook, for that is the only
// place that sees the connections of all topologies.
type dialing struct{}

// DialHook turns a failed dial into a connection that fails. The pool of the driver counts failed dials: after as many as it has
// places, it does not dial at all for up to a second, and callers would find a
// server that is back still gone. Of broken connections it does not keep count.
func (dialing) DialHook(dial goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			nowhere, _ := net.Pipe()
			return dead{nowhere, noConnection(err)}, nil
		}
		return conn, nil
	}
}

// ProcessHook adds nothing.
func (dialing) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

// ProcessPipelineHook adds nothing.
func (dialing) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

// noConnection marks err as unreached. It is wrapped twice, for the driver takes
// one layer off what the set-up of a connection returns.
func noConnection(err error) error { return fmt.Errorf("connecting: %w", unreached{err}) }

// onConnect finds out whether a new connection works before a command that may be
// sent only once is: a server with too many clients accepts and hangs up.
func onConnect(ctx context.Context, conn *goredis.Conn) error {
	err := conn.Ping(ctx).Err()
	var reply goredis.Error
	if err == nil || errors.As(err, &reply) { // the command will get the same reply, and tell its caller
		return nil
	}
	return noConnection(err)
}

// dead is what became of a failed dial: a connection to nowhere.
type dead struct {
	net.Conn
	err error
}

func (d dead) Read([]byte) (int, error)  { return 0, d.err }
func (d dead) Write([]byte) (int, error) { return 0, d.err }
