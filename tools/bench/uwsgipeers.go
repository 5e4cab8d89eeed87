package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"

	"github.com/cachebackends/cachebackends/uwsgi"
)

// uwsgiPeers returns the raw client first, which all goals speak of.
func uwsgiPeers() []remotePeer {
	return []remotePeer{
		{"raw-uwsgi", "all but the bytes of one connection per request; a batch is a loop", 0, true, openRawUwsgi},
		{"uwsgi", "nothing: the bare backend as it comes", 0, true, openUwsgi},
		{"uwsgi+Cache", "nothing: the same through the methods of Cache", 0, true, openUwsgiCache},
	}
}

func openUwsgi(addr string) (remoteStore, error) {
	return storeOf(uwsgi.New(context.Background(), uwsgi.Options{Addr: addr}))
}

func openUwsgiCache(addr string) (remoteStore, error) {
	return storeOfCache(uwsgi.New(context.Background(), uwsgi.Options{Addr: addr}))
}

// rawUwsgi is the address and the buffer of one caller.
type rawUwsgi struct {
	addr   string
	buffer [4096]byte
}

func openRawUwsgi(addr string) (remoteStore, error) {
	callers := sync.Pool{New: func() any { return &rawUwsgi{addr: addr} }}
	get := func(key string) ([]byte, error) {
		c := callers.Get().(*rawUwsgi)
		defer callers.Put(c)
		return c.get(key)
	}
	set := func(key string, value []byte) error {
		c := callers.Get().(*rawUwsgi)
		defer callers.Put(c)
		return c.set(key, value)
	}
	remove := func(key string) error {
		c := callers.Get().(*rawUwsgi)
		defer callers.Put(c)
		_, err := c.ask(nil, "cmd", "del", "key", key)
		return err
	}
	getMany := func(keys []string) (found int, err error) {
		for _, key := range keys {
			if _, err := get(key); err == nil {
				found++
			} else if !errors.Is(err, os.ErrNotExist) {
				return found, err
			}
		}
		return found, nil
	}
	return storeOfLoops(get, set, remove, getMany, func() {}), nil
}

// get knows that the value ends the answer and that "size" comes before it, and
// does not look at when life is over.
func (c *rawUwsgi) get(key string) ([]byte, error) {
	answer, err := c.ask(nil, "cmd", "get", "key", key)
	if err != nil {
		return nil, err
	}
	return append([]byte(nil), answer...), nil
}

func (c *rawUwsgi) set(key string, value []byte) error {
	_, err := c.ask(value, "cmd", "update", "key", key, "size", strconv.Itoa(len(value)), "expires", strconv.Itoa(int(life.Seconds())))
	return err
}

// ask sends pairs of names and texts and a value, and returns the value of the answer.
func (c *rawUwsgi) ask(value []byte, texts ...string) ([]byte, error) {
	conn, err := dialUwsgi(c.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	data := append(c.buffer[:0], 111, 0, 0, 17)
	for _, text := range texts {
		data = binary.LittleEndian.AppendUint16(data, uint16(len(text)))
		data = append(data, text...)
	}
	binary.LittleEndian.PutUint16(data[1:], uint16(len(data)-4))
	if _, err := conn.Write(append(data, value...)); err != nil {
		return nil, err
	}
	n, err := io.ReadAtLeast(conn, c.buffer[:], 4)
	if err == io.EOF {
		return nil, os.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	head := 4 + int(binary.LittleEndian.Uint16(c.buffer[1:]))
	return c.buffer[min(head, n):n], nil
}
