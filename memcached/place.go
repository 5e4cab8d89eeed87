package memcached

import "github.com/cachebackends/cachebackends/memcached/internal/wire"

// Place returns the address of the server that stores key. It returns "" if that is not
// known (a borrowed client), or if a value may be on several servers (Spread).
func (b *Backend) Place(key string) string {
	client, ok := b.store.(*wire.Client)
	if !ok || b.options.Spread || key == "" {
		return ""
	}
	return client.Place(key)
}
