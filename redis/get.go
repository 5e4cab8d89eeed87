package redis

import (
	"context"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// reusableGet is a GET that is used again after its reply has arrived.
type reusableGet struct {
	cmd      *goredis.StringCmd
	key      string
	reusable bool
}

var freeGets = sync.Pool{New: func() any {
	g := &reusableGet{reusable: true}
	g.cmd = goredis.NewStringCmd(context.Background(), "get", &g.key)
	return g
}}

// newGet returns a GET. Only one that neither a hook of an application nor a client of a
// cluster has seen is used again: these keep commands, or what they know about one.
func (b *Backend) newGet(ctx context.Context, key string) *reusableGet {
	if b.borrowed || b.cluster != nil {
		return &reusableGet{cmd: getCmd(ctx, key)}
	}
	g := freeGets.Get().(*reusableGet)
	g.key = key
	prepare(g.cmd)
	return g
}

// free is called after a success or a miss, whose command nobody uses any more. After
// another error, a shared round trip may still use it.
func (g *reusableGet) free() {
	if !g.reusable {
		return
	}
	g.key = ""
	g.cmd.SetVal("")
	g.cmd.SetErr(nil)
	freeGets.Put(g)
}
