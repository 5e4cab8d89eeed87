package redis

import (
	"context"
	"errors"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// scanStart is a primary at the beginning of a scan.
type scanStart struct {
	options  goredis.Options
	topology string // as describe returns it
	describe describe
}

// describe returns the topology of a primary, or "" if that is not known.
type describe func(ctx context.Context, primary *goredis.Client) (string, error)

// scanPrimaries returns all primaries by their addresses. It asks for the topology of all
// before the first is scanned: a key may move to one that has been scanned.
func (b *Backend) scanPrimaries(ctx context.Context, describe describe) (map[string]scanStart, error) {
	var mu sync.Mutex
	primaries := make(map[string]scanStart)
	err := b.eachPrimary(ctx, func(ctx context.Context, primary *goredis.Client) error {
		topology, err := describe(ctx, primary)
		mu.Lock()
		defer mu.Unlock()
		primaries[primary.Options().Addr] = scanStart{*primary.Options(), topology, describe}
		return err
	})
	return primaries, err
}

// scanPrimary calls scan with a client that has a single connection: a cursor of SCAN is
// valid only on the server that made it. The error is errMovedInScan if entries may have
// moved since start. The connection ends with the Backend.
func (b *Backend) scanPrimary(ctx context.Context, start scanStart, scan func(context.Context, *goredis.Client) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.open, cancel)()
	client := goredis.NewClient(singleConnection(start.options))
	client.AddHook(clientHook{})
	defer client.Close()
	if err := scan(ctx, client); err != nil {
		return err
	}
	topology, err := start.describe(ctx, client)
	if err == nil && topology != start.topology {
		err = errMovedInScan
	}
	return err
}

var errMovedInScan = errors.New("slots or a primary moved during the scan")
