package main

import (
	"strings"
	"testing"
	"time"

	"github.com/cachebackends/cachebackends/uwsgi"
)

func TestUwsgiPeers(t *testing.T) {
	for _, r := range []remote{uwsgiRemote(), uwsgiUnixRemote()} {
		t.Run(r.group, func(t *testing.T) {
			if r.missing != "" {
				t.Skip(r.missing)
			}
			addr, stop, err := r.start()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(stop)
			other, err := uwsgi.New(t.Context(), uwsgi.Options{Addr: addr})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range r.peers {
				s := openRemotePeer(t, p, addr)
				keys, value := makeKeys(0, 10), strings.Repeat(p.name, 10)
				if err := s.setMany(keys, []byte(value))(); err != nil {
					t.Fatalf("%s: %v", p.name, err)
				}
				if got, err := s.get(keys[3]); err != nil || string(got) != value {
					t.Errorf("%s: got %q, %v, want %q", p.name, got, err, value)
				}
				if left, ok, err := other.TTL(t.Context(), keys[3]); !ok || err != nil || left < life*9/10 || left > life+3*time.Second {
					t.Errorf("%s: lives %v, %v, %v", p.name, left, ok, err)
				}
				if got, err := s.get("absent"); err == nil {
					t.Errorf("%s: an absent key is %q", p.name, got)
				}
				if found, err := s.getMany(append(keys, "absent")); found != len(keys) || err != nil {
					t.Errorf("%s: found %d, %v", p.name, found, err)
				}
				if found, err := s.deleteMany(keys); found != len(keys) || err != nil {
					t.Errorf("%s: deleted %d, %v", p.name, found, err)
				}
				if found, err := s.getMany(keys); found != 0 || err != nil {
					t.Errorf("%s: found %d, %v after all were deleted", p.name, found, err)
				}
			}
		})
	}
}

func TestUwsgiGoals(t *testing.T) {
	for _, test := range []struct {
		series   string
		raw, our float64
		met      bool
	}{
		{"Uwsgi/get/callers=1", 100, 110, true},
		{"UwsgiUnix/set/callers=1", 100, 111, false},
		{"Uwsgi/getmany/keys=100", 200, 100, true},
		{"UwsgiUnix/getmany/keys=100", 199, 100, false},
	} {
		goals := checkGoals([]*result{
			{Series: test.series, Procs: 2, Peer: "raw-uwsgi", NsPerOp: []float64{test.raw}},
			{Series: test.series, Procs: 2, Peer: "uwsgi", NsPerOp: []float64{test.our}},
		})
		if len(goals) != 1 || goals[0].Met != test.met {
			t.Errorf("%s: %v, want met %v", test.series, goals, test.met)
		}
	}
}
