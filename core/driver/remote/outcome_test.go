package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/core/driver"
)

func TestOutcome(t *testing.T) {
	past, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	cancelled, cancelNow := context.WithCancel(t.Context())
	cancelNow()
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	silent := &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	noSockets := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EOPNOTSUPP)}
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		err   error
		write bool
		is    []error
		not   []error
	}{
		{"nothing", t.Context(), nil, true, nil, nil},
		{"refused", t.Context(), Unsent{refused}, true, []error{driver.ErrUnavailable, syscall.ECONNREFUSED}, []error{driver.ErrUnknownOutcome}},
		{"read broken", t.Context(), io.ErrUnexpectedEOF, false, []error{driver.ErrUnavailable, io.ErrUnexpectedEOF}, nil},
		{"write broken", t.Context(), io.EOF, true, []error{driver.ErrUnknownOutcome}, []error{driver.ErrUnavailable}},
		{"silent at the deadline", past, silent, false, []error{driver.ErrUnavailable, context.DeadlineExceeded}, nil},
		{"silent before the deadline", t.Context(), silent, false, []error{driver.ErrUnavailable}, []error{context.DeadlineExceeded}},
		{"write at the deadline", past, silent, true, []error{driver.ErrUnknownOutcome, context.DeadlineExceeded}, []error{driver.ErrUnavailable}},
		{"cancelled read", cancelled, silent, false, []error{context.Canceled}, []error{driver.ErrUnavailable}},
		{"cancelled before sending", cancelled, Unsent{context.Canceled}, true, []error{context.Canceled}, []error{driver.ErrUnknownOutcome, driver.ErrUnavailable}},
		{"cancelled write", cancelled, net.ErrClosed, true, []error{driver.ErrUnknownOutcome, context.Canceled}, nil},
		{"cancelled during a broken dial", cancelled, Unsent{io.EOF}, false, []error{context.Canceled, io.EOF}, []error{driver.ErrUnavailable}},
		{"cancelled with another error", cancelled, errors.New("malformed"), false, []error{context.Canceled}, []error{driver.ErrUnavailable}},
		{"unsent write, cancelled", cancelled, Unsent{io.EOF}, true, []error{context.Canceled}, []error{driver.ErrUnknownOutcome}},
		{"unsent at the deadline", past, Unsent{syscall.ECONNRESET}, true, []error{driver.ErrUnavailable, context.DeadlineExceeded}, []error{driver.ErrUnknownOutcome}},
		{"refused at the deadline", past, refused, false, []error{driver.ErrUnavailable, context.DeadlineExceeded, syscall.ECONNREFUSED}, nil},
		{"unsupported socket", t.Context(), Unsent{noSockets}, true, []error{driver.ErrUnavailable, syscall.EOPNOTSUPP}, []error{driver.ErrUnknownOutcome}},
		{"write to an unsupported socket", t.Context(), noSockets, true, []error{driver.ErrUnknownOutcome}, nil},
		{"unsupported", t.Context(), fmt.Errorf("x: %w", errors.ErrUnsupported), true, []error{errors.ErrUnsupported}, []error{driver.ErrUnknownOutcome, driver.ErrUnavailable}},
		{"reply of the server", t.Context(), fmt.Errorf("%w: OOM", driver.ErrFull), true, []error{driver.ErrFull}, []error{driver.ErrUnknownOutcome}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Outcome(tt.ctx, tt.err, tt.write)
			if (got == nil) != (tt.err == nil) {
				t.Fatalf("got %v", got)
			}
			for _, want := range tt.is {
				if !errors.Is(got, want) {
					t.Errorf("%v is not %v", got, want)
				}
			}
			for _, other := range tt.not {
				if errors.Is(got, other) {
					t.Errorf("%v is %v", got, other)
				}
			}
		})
	}
	if IsBroken(Unsent{io.EOF}) || !IsBroken(fmt.Errorf("x: %w", syscall.EPIPE)) || IsBroken(silent) || !IsTimeout(silent) || IsTimeout(io.EOF) || IsTimeout(nil) {
		t.Error("IsBroken or IsTimeout is wrong")
	}
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET} // has a method Timeout, which returns false
	for _, late := range []error{context.DeadlineExceeded, os.ErrDeadlineExceeded, &net.DNSError{IsTimeout: true}} {
		if !IsTimeout(fmt.Errorf("%w: %w", reset, late)) {
			t.Errorf("%v after %v is no timeout", late, reset)
		}
	}
}

func TestAddresses(t *testing.T) {
	for addr, ok := range map[string]bool{
		"localhost:1": true, "127.0.0.1:65535": true, "[::1]:1": true, "/run/x.sock": true,
		"localhost": false, "a:b": false, "a:0": false, "a:65536": false, "a:1:2": false, "::1:1": false, "a;b:1": false,
		"http://x": false, "user:hunter2@host:1": false, "": false, "a b:1": false,
		":1": false, "[]:1": false, "[a]:1": false, "a]:1": false, `"a:1`: false, "'a':1": false, "a\x00:1": false, "h?x:1": false,
		"h:+80": false, "h:": false, "[fe80::1%eth0]:1": true,
	} {
		if err := CheckAddr(addr, true); (err == nil) != ok {
			t.Errorf("%q: %v", addr, err)
		}
	}
	got := WithPort([]string{"a", "a:1", "::1", "[::1]", "[::1]:1", "127.0.0.1", "/run/x.sock", "redis://a", "a:1:2", "a;b", "[]", "[a]", "[::1", "a]", "", `"a"`, "a:"}, 7)
	want := []string{"a:7", "a:1", "[::1]:7", "[::1]:7", "[::1]:1", "127.0.0.1:7", "/run/x.sock", "redis://a", "a:1:2", "a;b", "[]", "[a]", "[::1", "a]", "", `"a"`, "a:"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if WithPort(nil, 7) != nil {
		t.Error("addresses that are not given became an empty list")
	}
	for addr, local := range map[string]bool{"localhost:1": true, "127.0.0.2:1": true, "[::1]:1": true, "/x": true, "10.0.0.1:1": false, "db:1": false,
		"example.com": false, "10.0.0.1": false, "localhost": true, "::1": true, "[::1]": true, "LOCALHOST:1": true} {
		if IsLocal(addr) != local {
			t.Errorf("IsLocal(%q) = %v", addr, !local)
		}
	}
}
