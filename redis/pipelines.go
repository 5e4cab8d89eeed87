package redis

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// maxNodes is the size of a cluster that its specification recommends at most. Pipelines of
// more nodes are of nodes that were replaced.
const maxNodes = 1000

// pipelines are those of the nodes of a cluster: a node that is slow delays the calls for
// its own slots only.
type pipelines struct {
	backend  *Backend
	maxWait  time.Duration
	maxAlone int // of remote.Group

	mu     sync.Mutex // guards changes of byNode
	byNode atomic.Pointer[map[string]*pipeline]
}

func newPipelines(b *Backend) *pipelines {
	p := &pipelines{backend: b, maxWait: b.cluster.Options().PoolTimeout}
	p.byNode.Store(&map[string]*pipeline{})
	return p
}

// of returns the pipeline of a node, nil if the node is not known.
func (p *pipelines) of(node string) *pipeline {
	if node == "" {
		return nil
	}
	if known := (*p.byNode.Load())[node]; known != nil {
		return known
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	all := maps.Clone(*p.byNode.Load())
	if known := all[node]; known != nil {
		return known
	}
	if len(all) >= maxNodes {
		maps.DeleteFunc(all, func(_ string, other *pipeline) bool {
			waiting, batches := other.Load()
			return waiting == 0 && batches == 0
		})
	}
	all[node] = newPipeline(p.backend, p.maxWait)
	all[node].MaxAlone = p.maxAlone
	p.byNode.Store(&all)
	return all[node]
}

// keyOf returns the key that selects the slot of a command or a plan, "" if it has none.
func keyOf(cmd goredis.Cmder) string {
	args, place := valueArgs(cmd), 1
	if len(args) > 0 && args[0] == "eval" {
		place = firstKey
	}
	if place >= len(args) {
		return ""
	}
	switch key := args[place].(type) {
	case string:
		return key
	case *string:
		return *key
	}
	return ""
}
