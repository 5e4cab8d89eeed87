package servers

import (
	"io"
	"os/exec"
	"syscall"
)

// guard runs a script when it is released, or when this process ends before,
// however it ends: nothing that a test started outlives it.
type guard struct {
	cmd  *exec.Cmd
	hold io.Closer // the write end of a pipe, which the system closes for the dead
}

func newGuard(script string) (*guard, error) {
	cmd := exec.Command("sh", "-c", "cat >/dev/null\n"+script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for it
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &guard{cmd, hold}, cmd.Start()
}

// release runs the script and waits for its end.
func (g *guard) release() {
	g.hold.Close()
	g.cmd.Wait()
}
