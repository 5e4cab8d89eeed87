package redis

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// By default, the driver prints to standard error what it also returns as errors. Its
// logger belongs to the whole program, so this package replaces only the default one: a
// program that calls SetLogger itself does so later.
func init() { goredis.SetLogger(driverLog{}) }

// driverLog passes the messages of the driver to slog, at the level for debugging.
type driverLog struct{}

// Printf is called by the driver.
func (driverLog) Printf(ctx context.Context, format string, args ...any) {
	if !slog.Default().Enabled(ctx, slog.LevelDebug) {
		return
	}
	// What the driver quotes may be a part of a reply.
	message, _, _ := strings.Cut(fmt.Sprintf(format, args...), `"`)
	slog.DebugContext(ctx, "redis: message of the driver", "text", message)
}
