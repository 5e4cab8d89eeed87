package redis

import (
	"slices"

	goredis "github.com/redis/go-redis/v9"
)

// plan is a command among helpers, all in one round trip and for one slot of a cluster.
// The helpers are best effort: an error reply to one of them, such as that the user has no
// permission for it, is not an error of the plan.
type plan struct {
	goredis.Cmder
	all []goredis.Cmder // the command and its helpers in their order
}

// Err returns the error of the command, or of a helper whose reply was lost.
func (p *plan) Err() error {
	if err := p.Cmder.Err(); err != nil {
		return err
	}
	for _, cmd := range p.all {
		if err := cmd.Err(); err != nil && !isReply(err) {
			return err
		}
	}
	return nil
}

// mainCommand returns cmd, or the command of a plan.
func mainCommand(cmd goredis.Cmder) goredis.Cmder {
	if p, ok := cmd.(*plan); ok {
		return p.Cmder
	}
	return cmd
}

// withoutPlans replaces plans by their commands.
func withoutPlans(cmds []goredis.Cmder) []goredis.Cmder {
	isPlan := func(cmd goredis.Cmder) bool { _, ok := cmd.(*plan); return ok }
	i := slices.IndexFunc(cmds, isPlan)
	if i < 0 {
		return cmds
	}
	all := slices.Clone(cmds[:i])
	for _, cmd := range cmds[i:] {
		all = appendCommands(all, cmd)
	}
	return all
}

// appendCommands appends cmd, or the commands of a plan.
func appendCommands(all []goredis.Cmder, cmd goredis.Cmder) []goredis.Cmder {
	if p, ok := cmd.(*plan); ok {
		return append(all, p.all...)
	}
	return append(all, cmd)
}

// singleAttemptOf returns the command that must be sent only once, nil if cmd may be
// repeated.
func singleAttemptOf(cmd goredis.Cmder) *singleAttempt {
	c, _ := mainCommand(cmd).(*singleAttempt)
	return c
}
