package stores

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// joinRedisCluster divides the slots among the nodes, and returns when each of them knows
// all.
func joinRedisCluster(addrs []string) error {
	const slots = 1 << 14
	host, port, err := net.SplitHostPort(addrs[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	nodes := make([]*goredis.Client, len(addrs))
	for i, addr := range addrs {
		nodes[i] = goredis.NewClient(&goredis.Options{Addr: addr})
		defer nodes[i].Close()
		first, after := i*slots/len(addrs), (i+1)*slots/len(addrs)
		err := errors.Join(nodes[i].ClusterAddSlotsRange(ctx, first, after-1).Err(), nodes[i].ClusterMeet(ctx, host, port).Err())
		if err != nil {
			return err
		}
	}
	for _, node := range nodes {
		for !knowsAll(ctx, node, len(nodes)) {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("a cluster of %v: %w", addrs, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return nil
}

// knowsAll reports whether all slots are served and every one of so many nodes has been met.
func knowsAll(ctx context.Context, node *goredis.Client, nodes int) bool {
	info := node.ClusterInfo(ctx).Val()
	return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", nodes))
}
