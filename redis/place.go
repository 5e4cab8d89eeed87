package redis

import "context"

// Place returns the address of the primary of key's slot. It returns "" if there is one
// primary, if reads go to replicas, and until the first reply has shown that the map of the
// cluster is known. During a failover and a reshard it is that of the last map.
func (b *Backend) Place(key string) string {
	if b.cluster == nil || !b.mapKnown.Load() || b.cluster.Options().ReadOnly {
		return ""
	}
	primary, err := b.cluster.MasterForKey(noIO, key)
	if err != nil {
		return ""
	}
	return primary.Options().Addr
}

// noIO is a context with which nothing is sent.
var noIO = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// noteMap notes after a command with this error whether the map of the cluster is known.
func (b *Backend) noteMap(err error) {
	if b.cluster != nil && (err == nil || isReply(err)) && !b.mapKnown.Load() {
		b.mapKnown.Store(true)
	}
}
