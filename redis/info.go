package redis

import (
	"context"
	"strings"
	"sync"

	"github.com/cachebackends/cachebackends/core/driver"
	goredis "github.com/redis/go-redis/v9"
)

// ServerInfo returns what every primary reports about itself, by its address: the fields
// of INFO, such as maxmemory_policy. Their names, units and number depend on the version
// of the server. The caller owns the maps.
func (b *Backend) ServerInfo(ctx context.Context) (map[string]map[string]string, error) {
	if b.closed.Load() {
		return nil, driver.ErrClosed
	}
	var mu sync.Mutex
	servers := make(map[string]map[string]string)
	err := b.eachPrimary(ctx, func(ctx context.Context, primary *goredis.Client) error {
		info := goredis.NewStringCmd(ctx, "info", "all") // several sections need Redis 7
		if err := repeat(primary, func() error { return primary.Process(ctx, info) }); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		servers[primary.Options().Addr] = infoFields(info.Val())
		return nil
	})
	if err != nil {
		return nil, b.failure(ctx, err, false)
	}
	return servers, nil
}

// infoFields returns the fields of a reply to INFO: lines name:value, and # before titles.
func infoFields(text string) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if found && !strings.HasPrefix(line, "#") {
			fields[name] = value
		}
	}
	return fields
}
