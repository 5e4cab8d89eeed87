package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

// serveWatch sends a reply when the watch is ready, one per change, and one without a
// key several times within grace, which q.TTL is.
func serveWatch(conn net.Conn, r *reference, q request) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	replies := make(chan reply)
	go func() {
		defer close(replies)
		send := func(a reply) {
			select {
			case replies <- a:
			case <-ctx.Done():
			}
		}
		err := r.Watch(ctx, q.Key, q.TTL, driver.Notices{
			Ready:   func() { send(reply{OK: true}) },
			Changed: func(key string) { send(reply{Key: key}) },
		})
		send(reply{Err: err.Error()})
	}()
	encoder := json.NewEncoder(conn)
	ticker := time.NewTicker(max(q.TTL/8, time.Millisecond))
	defer ticker.Stop()
	for {
		var a reply
		select {
		case a = <-replies:
		case <-ticker.C:
		}
		if encoder.Encode(a) != nil || a.Err != "" {
			return
		}
	}
}

func (b *client) Watch(ctx context.Context, prefix string, grace time.Duration, notices driver.Notices) error {
	if b.closed.Load() {
		return driver.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(b.open, func() { cancel(driver.ErrClosed) })()
	err := b.watch(ctx, prefix, grace, notices)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
}

func (b *client) watch(ctx context.Context, prefix string, grace time.Duration, notices driver.Notices) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", b.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := json.NewEncoder(conn).Encode(request{Op: "watch", Key: prefix, TTL: grace}); err != nil {
		return err
	}
	replies := json.NewDecoder(conn)
	for ready := b.earlyReady; ; {
		if b.earlyReady && ready {
			notices.Ready()
			ready = false
		}
		if !b.noGrace {
			conn.SetReadDeadline(time.Now().Add(grace))
		}
		var a reply
		err := replies.Decode(&a)
		switch {
		case err != nil && b.reconnects && !errors.Is(err, os.ErrDeadlineExceeded):
			return b.watch(ctx, prefix, grace, driver.Notices{Ready: func() {}, Changed: notices.Changed})
		case err != nil:
			return err
		case a.Err != "":
			return errors.New(a.Err)
		case a.OK && !b.earlyReady:
			notices.Ready()
		case a.Key != "":
			notices.Changed(a.Key)
		}
	}
}

func (b *client) GetWithTTL(ctx context.Context, key string) ([]byte, time.Duration, bool, error) {
	a, err := b.result(ctx, request{Op: "life", Key: key}, 0)
	if a.OK && a.Value == nil {
		a.Value = []byte{}
	}
	return a.Value, a.TTL, a.OK, err
}

func (b *client) Stats(ctx context.Context) (driver.Stats, error) {
	a, err := b.result(ctx, request{Op: "stats"}, 0)
	if err != nil {
		return driver.UnknownStats, err
	}
	stats := driver.UnknownStats
	stats.Entries = a.N
	return stats, nil
}
