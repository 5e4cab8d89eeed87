package cache

import (
	"context"

	"github.com/cachebackends/cachebackends/core/driver"
)

// Opener makes a backend from settings. It reads all it knows, returns s.Err()
// where that is not nil, and only then opens anything.
type Opener func(ctx context.Context, s *Settings) (Backend, error)

// Register makes a backend available to [Open] under name. Backends that declare
// their settings call [driver.Register].
func Register(name string, open Opener) {
	info := driver.Info{Types: []string{name}}
	info.Open = func(ctx context.Context, s *driver.Settings) (Backend, error) {
		return open(ctx, newSettings(s.Given(), ""))
	}
	for alias, typ := range aliases {
		if typ == name {
			info.Aliases = map[string]string{alias: name}
		}
	}
	for _, s := range known {
		info.Undeclared = append(info.Undeclared, s.Key)
	}
	driver.Register(info)
}

// Registered lists the values of CACHE_TYPE, sorted.
func Registered() []string { return driver.Types() }
