package filesystem

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The tests with several processes run this binary again as one of these workers.
var workers = map[string]func(ctx context.Context, b *Backend) error{
	"adder":   addKeys,
	"counter": incKeys,
	"loader":  loadForever,
	"writer":  writeForever,
}

const workerVariable = "FILESYSTEM_TEST_WORKER" // "<worker> <directory>"

func TestMain(m *testing.M) {
	worker, dir, ok := strings.Cut(os.Getenv(workerVariable), " ")
	if !ok {
		os.Exit(m.Run())
	}
	b, err := New(context.Background(), Options{Dir: dir, Threshold: NoLimit})
	if err == nil {
		err = workers[worker](context.Background(), b)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// startWorker returns the command of a worker process on dir.
func startWorker(t *testing.T, worker, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), workerVariable+"="+worker+" "+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

const (
	addedKeys = 3000
	incsEach  = 200
)

// addKeys prints the number of keys that it added.
func addKeys(ctx context.Context, b *Backend) error {
	won := 0
	for i := range addedKeys {
		added, err := b.Add(ctx, strconv.Itoa(i), []byte(strconv.Itoa(os.Getpid())), 0)
		if err != nil {
			return err
		}
		if added {
			won++
		}
	}
	fmt.Println(won)
	return nil
}

func TestAddAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	outputs := make([]string, 4)
	for i := range outputs {
		group.Go(func() {
			output, err := startWorker(t, "adder", dir).Output()
			if err != nil {
				t.Error(err)
			}
			outputs[i] = strings.TrimSpace(string(output))
		})
	}
	group.Wait()
	winners := 0
	for _, output := range outputs {
		n, err := strconv.Atoi(output)
		if err != nil {
			t.Fatal(err)
		}
		winners += n
	}
	if winners != addedKeys {
		t.Errorf("%d winners for %d keys; per process %v", winners, addedKeys, outputs)
	}
	if got := len(files(t, dir, "*")); got != addedKeys {
		t.Errorf("%d files for %d keys", got, addedKeys)
	}
}

func incKeys(ctx context.Context, b *Backend) error {
	for range incsEach {
		if _, err := b.Inc(ctx, "n", 1, 0); err != nil {
			return err
		}
	}
	return nil
}

func TestIncAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	const processes = 3
	var group sync.WaitGroup
	for range processes {
		group.Go(func() {
			if err := startWorker(t, "counter", dir).Run(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	wantGet(t, openAt(t, Options{Dir: dir}), "n", strconv.Itoa(processes*incsEach))
}

const (
	patternKeys = 4
	patternSize = 256 << 10
)

// writeForever prints a line after its first write, and writes until it is killed.
func writeForever(ctx context.Context, b *Backend) error {
	for i := 0; ; i++ {
		if err := b.Set(ctx, strconv.Itoa(i%patternKeys), pattern(byte(i), patternSize), 0); err != nil {
			return err
		}
		if _, err := b.Inc(ctx, "n", 1, 0); err != nil {
			return err
		}
		if i == 0 {
			fmt.Println("writing")
		}
	}
}

// startProcess returns when the worker has printed a line.
func startProcess(t *testing.T, worker, dir string) (kill func()) {
	t.Helper()
	cmd := startWorker(t, worker, dir)
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		cmd.Wait() // returns the signal as an error
	}
}

func wantPatterns(t *testing.T, b *Backend) {
	t.Helper()
	for i := range patternKeys {
		value, ok, err := b.Get(t.Context(), strconv.Itoa(i))
		if err != nil || ok && !isPattern(value, patternSize) {
			t.Fatalf("key %d: %d bytes, torn or damaged: %v", i, len(value), err)
		}
	}
}

func TestReadWhileProcessesWrite(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		defer startProcess(t, "writer", dir)()
	}
	b := openAt(t, Options{Dir: dir})
	for range 100 {
		wantPatterns(t, b)
	}
}

// Rule PER-3 of the contract.
func TestKilledWriters(t *testing.T) {
	dir := t.TempDir()
	const kills = 40
	counted := int64(0)
	for i := range kills / 2 {
		kill1, kill2 := startProcess(t, "writer", dir), startProcess(t, "writer", dir)
		time.Sleep(time.Duration(i) * 200 * time.Microsecond) // a different moment of a write each time
		kill1()
		kill2()
		b := openAt(t, Options{Dir: dir})
		wantPatterns(t, b)
		sum, err := b.Inc(t.Context(), "n", 1, 0) // the kernel has released the lock
		if err != nil || sum <= counted {
			t.Fatalf("Inc after a kill = %d, %v; it was %d", sum, err, counted)
		}
		counted = sum
	}
	b := openAt(t, Options{Dir: dir})
	t.Log("stale temporary files:", len(files(t, dir, "*"+tempSuffix)))
	for index := range fanOut {
		if _, _, err := list(b.tree, index, time.Now().Add(2*staleAge), 0); err != nil {
			t.Fatal(err)
		}
	}
	if left := files(t, dir, "*"+tempSuffix); len(left) > 0 {
		t.Errorf("not removed: %q", left)
	}
	wantPatterns(t, b)
}
