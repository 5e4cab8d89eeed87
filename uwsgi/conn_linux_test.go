package uwsgi

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A unix socket whose queue is full refuses at once, where TCP lets wait.
func TestFullQueueIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil { // one may wait
		t.Fatal(err)
	}
	d := newDialer(Options{Addr: path})
	first, err := d.dial(withDeadline{t.Context(), time.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := net.Dial("unix", path); err == nil {
		t.Fatal("the queue is not full")
	}

	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	for what, limited := range map[string]withDeadline{
		"deadline":    {short, time.Now().Add(time.Minute)},
		"DialTimeout": {t.Context(), time.Now().Add(30 * time.Millisecond)},
	} {
		if _, err := d.dial(limited); err == nil {
			t.Errorf("connected to a queue that stayed full beyond the %s", what)
		}
	}

	var second net.Conn
	var dialling sync.WaitGroup
	dialling.Go(func() { second, err = d.dial(withDeadline{t.Context(), time.Now().Add(time.Minute)}) })
	time.Sleep(30 * time.Millisecond)
	accepted, _, errAccept := syscall.Accept(fd)
	if errAccept != nil {
		t.Fatal(errAccept)
	}
	defer syscall.Close(accepted)
	dialling.Wait()
	if err != nil {
		t.Fatalf("after the queue had room: %v", err)
	}
	second.Close()
}
