package redis

import (
	"slices"

	goredis "github.com/redis/go-redis/v9"
)

// plan is a command with helpers before and after it, all in one round trip and for one
// slot of a cluster. The helpers are best effort: an error reply to one of them, such as
// that the user has no permission for it, is not an error of the plan.
type plan struct {
	goredis.Cmder
	before, after []goredis.Cmder
}

// Err returns the error of the command, or of a helper whose reply was lost.
func (p *plan) Err() error {
	if err := p.Cmder.Err(); err != nil {
		return err
	}
	for _, helpers := range [][]goredis.Cmder{p.before, p.after} {
		for _, helper := range helpers {
			if err := helper.Err(); err != nil && !isReply(err) {
				return err
			}
		}
	}
	return nil
}

// commands returns all commands of p in their order.
func (p *plan) commands() []goredis.Cmder {
	return append(append(slices.Clone(p.before), p.Cmder), p.after...)
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
		if p, ok := cmd.(*plan); ok {
			all = append(all, p.commands()...)
		} else {
			all = append(all, cmd)
		}
	}
	return all
}

// singleAttemptOf returns the command that must be sent only once, nil if cmd may be
// repeated.
func singleAttemptOf(cmd goredis.Cmder) *singleAttempt {
	if p, ok := cmd.(*plan); ok {
		cmd = p.Cmder
	}
	c, _ := cmd.(*singleAttempt)
	return c
}
