package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	moby "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tcexec "github.com/testcontainers/testcontainers-go/exec"
)

// container is a Machine in Docker.
type container struct {
	running *testcontainers.DockerContainer
	guard   *guard
}

const (
	workdir = "/srv/servers"
	// enter may be run by two scripts at once: a further one can be there first.
	enter = "mkdir -p " + workdir + " && cd " + workdir + "\n"
)

func newContainer(spec Spec) (*container, error) {
	os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true") // guard does its work, and needs no image
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	exposed, published := []string{}, network.PortMap{}
	for _, port := range spec.Ports {
		p := network.MustParsePort(strconv.Itoa(port) + "/tcp")
		exposed = append(exposed, p.String())
		published[p] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: p.Port()}}
	}
	mode, bind := moby.NetworkMode("default"), "0.0.0.0"
	if onHostNetwork(ctx) {
		mode, bind, exposed, published = "host", "127.0.0.1", nil, nil
	}
	var shared []string
	for _, dir := range spec.Dirs {
		shared = append(shared, dir+":"+dir)
	}
	var files []testcontainers.ContainerFile
	for name, content := range spec.Files {
		files = append(files, testcontainers.ContainerFile{
			Reader: strings.NewReader(content), ContainerFilePath: workdir + "/" + name, FileMode: 0o644,
		})
	}
	running, err := testcontainers.Run(ctx, image(),
		testcontainers.WithExposedPorts(exposed...),
		testcontainers.WithHostConfigModifier(func(host *moby.HostConfig) {
			host.PortBindings, host.NetworkMode, host.Binds = published, mode, shared
		}),
		testcontainers.WithFiles(files...),
		testcontainers.WithEnv(map[string]string{"BIND": bind}),
		testcontainers.WithEntrypoint("sh", "-ec"),
		testcontainers.WithCmd(enter+spec.Script),
	)
	if err != nil {
		return nil, errors.Join(err, testcontainers.TerminateContainer(running))
	}
	guard, err := newGuard("docker rm --force --volumes " + running.GetContainerID() + " >/dev/null")
	return &container{running, guard}, err
}

// onHostNetwork reports whether containers can use the network of this machine. In
// another network Docker forwards each connection: that costs more time than the servers
// need for their replies, and it ends connections that the servers reset.
func onHostNetwork(ctx context.Context) bool {
	if runtime.GOOS != "linux" { // Docker runs in a virtual machine
		return false
	}
	docker, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return false
	}
	defer docker.Close()
	info, err := docker.Info(ctx, client.InfoOptions{}) // which testcontainers keeps
	return err == nil && !slices.Contains(info.Info.SecurityOptions, "name=rootless")
}

func (c *container) Exec(ctx context.Context, script string) (string, error) {
	status, output, err := c.running.Exec(ctx, []string{"sh", "-ec", enter + script}, tcexec.Multiplexed())
	if err != nil {
		return "", err
	}
	printed, err := io.ReadAll(output)
	if err == nil && status != 0 {
		err = fmt.Errorf("exit status %d: %s", status, printed)
	}
	return string(printed), err
}

func (c *container) logs() string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := c.running.Logs(ctx)
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	printed, _ := io.ReadAll(r)
	return string(printed)
}

func (c *container) stop() { c.guard.release() }
