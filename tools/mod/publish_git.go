package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// git runs a command in the repository, and returns what it writes.
func (w *workspace) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = w.Root
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(exit.Stderr)))
	}
	return string(out), err
}

// files lists what a tag made now would hold, if everything were committed that
// git does not ignore. Names are relative to the module.
func (w *workspace) files(ctx context.Context, m module) ([]string, error) {
	list, err := w.gitList(ctx, "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", m.Dir)
	for i := range list {
		list[i] = strings.TrimPrefix(list[i], m.Dir+"/")
	}
	return list, err
}
