package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// checkTopology returns an error if the server is a node of a cluster that is used as one
// server: the entries of the other nodes would stay. Every user may send HELLO; servers
// before version 6 and some proxies do not support it.
func (b *Backend) checkTopology(ctx context.Context) error {
	if b.cluster != nil {
		return nil
	}
	hello, err := sayHello(ctx, b.one)
	switch {
	case err != nil:
		return b.failure(ctx, err, false)
	case hello["mode"] == "cluster":
		return fmt.Errorf("%w: Clear would leave the entries of other nodes: %s", errors.ErrUnsupported, nodeAsServer)
	}
	return nil
}

// sayHello returns what the server says about itself, nothing if it does not support HELLO.
func sayHello(ctx context.Context, server *goredis.Client) (map[any]any, error) {
	cmd := goredis.NewCmd(ctx, "hello")
	err := repeat(server, func() error { return server.Process(ctx, cmd) })
	if isRefused(err) {
		return nil, nil
	}
	return helloFields(cmd.Val()), err
}

// isRefused reports whether the server does not know the command or the user has no
// permission for it. Other error replies may be those to the login, which the driver
// returns as if they were those of the command.
func isRefused(err error) bool {
	return isReply(err) && (replyKind(err.Error()) == nil || goredis.HasErrorPrefix(err, "NOPERM"))
}

// helloFields returns the fields of a reply to HELLO: a map, or a list of keys and values.
func helloFields(reply any) map[any]any {
	fields := map[any]any{}
	switch reply := reply.(type) {
	case map[any]any:
		return reply
	case []any:
		for i := 0; i+1 < len(reply); i += 2 {
			if name, ok := reply[i].(string); ok {
				fields[name] = reply[i+1]
			}
		}
	}
	return fields
}

// topology describes a primary, so that two equal descriptions mean that none of its entries
// has moved to another server in between. It is empty if the server does not support HELLO.
func (b *Backend) topology(ctx context.Context, primary *goredis.Client) (string, error) {
	hello, err := sayHello(ctx, primary)
	switch {
	case err != nil || hello == nil:
		return "", err
	case hello["role"] == "replica":
		return "", errNotPrimary
	case hello["mode"] != "cluster":
		return typeOne, nil
	case b.cluster == nil:
		return "", fmt.Errorf("%w: the server has the entries of one node: %s", errors.ErrUnsupported, nodeAsServer)
	}
	cmd := goredis.NewStringCmd(ctx, "cluster", "nodes")
	if err := repeat(primary, func() error { return primary.Process(ctx, cmd) }); err != nil {
		return "", err
	}
	return ownSlots(cmd.Val())
}

// topologyIfPermitted is topology, and empty if the server refuses CLUSTER NODES: without
// it, the scan of Clear works, but does not notice that slots move.
func (b *Backend) topologyIfPermitted(ctx context.Context, primary *goredis.Client) (string, error) {
	topology, err := b.topology(ctx, primary)
	if isRefused(err) {
		return "", nil
	}
	return topology, err
}

// ownSlots returns the id, the configuration epoch and the slots of a node in its reply to
// CLUSTER NODES. A failover and a slot that has moved, even one that came back, raise the
// epoch. Slots in brackets are on the move: [slot->-node] or [slot-<-node].
func ownSlots(nodes string) (string, error) {
	const id, flags, epoch, slots = 0, 2, 6, 8 // fields of a line
	for line := range strings.Lines(nodes) {
		fields := strings.Fields(line)
		if len(fields) < slots || !slices.Contains(strings.Split(fields[flags], ","), "myself") {
			continue
		}
		if strings.Contains(line, "[") {
			return "", errResharding
		}
		return strings.Join(append([]string{fields[id], fields[epoch]}, fields[slots:]...), " "), nil
	}
	return "", errMalformed
}

var (
	errNotPrimary = errors.New("the server is a replica after a failover")
	errResharding = errors.New("the cluster is moving slots, whose entries a scan may miss")
)
