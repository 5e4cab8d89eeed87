package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// link is a connection on which a server reports changes. The driver sets it up, with TLS
// and login, and does not use it afterwards: it reads notifications only together with
// replies.
type link struct {
	addr    string
	client  *goredis.Client // owns the connection
	conn    net.Conn
	in      *bufio.Reader
	answers atomic.Int64 // to PING
}

// newLink connects to a server that another client has the options for, and sends it the
// commands with which the reports begin.
func newLink(ctx context.Context, o goredis.Options, begin [][]string) (_ *link, err error) {
	var opened atomic.Pointer[net.Conn]
	options := singleConnection(o)
	dial := options.Dialer
	options.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		opened.Store(&conn)
		return conn, err
	}
	l := &link{addr: o.Addr, client: goredis.NewClient(options)}
	l.client.AddHook(clientHook{})
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	defer context.AfterFunc(ctx, l.close)()
	if err := l.client.Conn().Ping(ctx).Err(); err != nil { // and the pool does not get the connection back
		return nil, err
	}
	l.conn = *opened.Load()
	l.in = bufio.NewReaderSize(guard(l.conn), afterLogin.line+len("\r\n"))
	return l, l.begin(begin, time.Now().Add(o.DialTimeout))
}

// singleConnection returns the options of a client of the same server that opens one
// connection, once: what the server remembers of a connection ends with it.
func singleConnection(o goredis.Options) *goredis.Options {
	dial := o.Dialer
	var dialled atomic.Bool
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dialled.Swap(true) {
			return nil, errConnectionEnded
		}
		return dial(ctx, network, addr)
	}
	o.PoolSize, o.MinIdleConns, o.MaxRetries, o.DialerRetries, o.PipelinePoolSize = 1, 0, -1, 1, -1
	o.ConnMaxIdleTime, o.ConnMaxLifetime = -1, 0
	o.ClientSideCacheConfig, o.ClientSideCache = nil, nil
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &o
}

var errConnectionEnded = errors.New("the connection broke")

func (l *link) close() { l.client.Close() }

// send sends a command.
func (l *link) send(deadline time.Time, args ...string) error {
	command := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, arg := range args {
		command = fmt.Appendf(command, "$%d\r\n%s\r\n", len(arg), arg)
	}
	l.conn.SetWriteDeadline(deadline)
	_, err := l.conn.Write(command)
	return err
}

// readReply reads the reply to a command and ignores it unless it is an error.
func (l *link) readReply() error {
	kind, n, err := l.readHeader()
	if err != nil {
		return err
	}
	return l.skipBody(kind, n)
}

// skip reads n values.
func (l *link) skip(n int) error {
	for range n {
		if err := l.readReply(); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) skipBody(kind byte, n int) error {
	switch kind {
	case '$', '=':
		if n < 0 {
			return nil
		}
		_, err := l.in.Discard(n + len("\r\n"))
		return err
	case '*', '~', '>':
		return l.skip(n)
	case '%':
		return l.skip(2 * n)
	}
	return nil
}

// readHeader reads the line that begins a value: its kind, and the length of a string or
// a list, -1 for null. The guard has checked it.
func (l *link) readHeader() (kind byte, n int, err error) {
	line, err := l.in.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	kind, text := line[0], string(line[1:len(line)-len("\r\n")])
	switch kind {
	case '$', '=', '*', '~', '>', '%':
		n, err = strconv.Atoi(text)
	case '_':
		n = -1
	case '-':
		err = replyError(text)
	case '!', '|': // the driver's commands do not receive these either
		err = errMalformed
	}
	return kind, n, err
}

func (l *link) readString(n int) (string, error) {
	text := make([]byte, max(n, 0)+len("\r\n"))
	if _, err := io.ReadFull(l.in, text); err != nil {
		return "", err
	}
	return string(text[:max(n, 0)]), nil
}

// replyError is an error reply.
type replyError string

func (e replyError) Error() string { return string(e) }

// RedisError marks a goredis.Error.
func (replyError) RedisError() {}
