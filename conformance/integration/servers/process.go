package servers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// process is a Machine that is this machine.
type process struct {
	dir     string
	printed *buffer
	guard   *guard
}

func newProcess(spec Spec) (*process, error) {
	dir, err := os.MkdirTemp("", "servers")
	if err != nil {
		return nil, err
	}
	for name, content := range spec.Files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			os.RemoveAll(dir)
			return nil, err
		}
	}
	p := &process{dir: dir, printed: new(buffer)}
	cmd := exec.Command("sh", "-ec", spec.Script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "BIND=127.0.0.1")
	cmd.Stdout, cmd.Stderr = p.printed, p.printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	go cmd.Wait()
	p.guard, err = newGuard(fmt.Sprintf("kill -9 -%[1]d; while kill -0 -%[1]d; do sleep 0.01; done 2>/dev/null; rm -rf %[2]q", cmd.Process.Pid, dir))
	return p, err
}

func (p *process) Exec(ctx context.Context, script string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", "-ec", script)
	cmd.Dir = p.dir
	printed, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, printed)
	}
	return string(printed), err
}

func (p *process) logs() string { return p.printed.String() }

func (p *process) stop() { p.guard.release() }

// buffer is what several processes print to.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
