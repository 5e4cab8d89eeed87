package redis

import (
	"errors"
	"fmt"
	"testing"

	cache "github.com/cachebackends/cachebackends/core"
)

// role is the reply to HELLO of a server with this role.
func role(mode, role string) string {
	return fmt.Sprintf("*4\r\n$4\r\nmode\r\n$%d\r\n%s\r\n$4\r\nrole\r\n$%d\r\n%s\r\n", len(mode), mode, len(role), role)
}

// If entries may have moved during the scan of Clear, some may be left.
func TestClearPrefixNoticesMoves(t *testing.T) {
	const refused = "-NOPERM this user has no permissions to run the 'cluster|nodes' command\r\n"
	nodes := func(slots string) string {
		text := "a 10.0.0.1:6379@16379 myself,master - 0 0 4 connected " + slots + "\n"
		return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
	}
	for name, tt := range map[string]struct {
		mode         string
		roles, nodes [2]string // before and after the scan
		keys         []string
		want         error
	}{
		"nothing":         {"standalone", [2]string{"master", "master"}, [2]string{}, nil, nil},
		"failover":        {"standalone", [2]string{"master", "replica"}, [2]string{}, nil, cache.ErrUnavailable},
		"failover later":  {"standalone", [2]string{"master", "replica"}, [2]string{}, []string{"p1"}, cache.ErrUnknownOutcome},
		"nothing moved":   {"cluster", [2]string{"master", "master"}, [2]string{nodes("0-16383"), nodes("0-16383")}, nil, nil},
		"slots that move": {"cluster", [2]string{"master", "master"}, [2]string{nodes("0-16383"), nodes("0-99")}, nil, cache.ErrUnavailable},
		"no permission":   {"cluster", [2]string{"master", "master"}, [2]string{refused, refused}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var f *fake
			f = startFake(t, func(n int, args []string) string {
				now := min(f.count("scan"), 1)
				switch {
				case args[0] == "hello" && len(args) == 1:
					return role(tt.mode, tt.roles[now])
				case args[0] == "scan":
					return page("0", tt.keys...)
				case args[0] == "unlink":
					return ":1\r\n"
				case args[0] == "cluster" && args[1] == "nodes":
					return tt.nodes[now]
				case args[0] == "cluster":
					return "*1\r\n" + slotRange(t, 0, 16383, f.addr)
				}
				return ""
			})
			o := Options{Addr: f.addr}
			if tt.mode == "cluster" {
				o = Options{Cluster: []string{f.addr}}
			}
			err := start(t, o).ClearPrefix(t.Context(), "p")
			if !errors.Is(err, tt.want) || tt.want == cache.ErrUnknownOutcome && errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("%v; want %v", err, tt.want)
			}
		})
	}
}

// A cursor means nothing to the server of another connection.
func TestClearPrefixDoesNotReconnect(t *testing.T) {
	f := startFake(t, func(n int, args []string) string {
		switch args[0] {
		case "scan":
			return []string{page("7", "p1"), hangUp, page("0"), page("0")}[n-1]
		case "unlink":
			return ":1\r\n"
		}
		return ""
	})
	if err := start(t, Options{Addr: f.addr}).ClearPrefix(t.Context(), "p"); !errors.Is(err, cache.ErrUnknownOutcome) {
		t.Errorf("%v; want ErrUnknownOutcome, because an entry was removed", err)
	}
	if n := f.count("scan"); n != 2 {
		t.Errorf("SCAN was sent %d times; want 2", n)
	}
}
