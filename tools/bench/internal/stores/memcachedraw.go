package stores

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"github.com/cachebackends/cachebackends/tools/bench/internal/workload"
)

// rawMemcached is one connection and its buffers: what no client can do
// without. It speaks the meta commands, and get if that is faster.
type rawMemcached struct {
	*bufio.ReadWriter
	conn net.Conn
}

func dialRawMemcached(addr string) (rawMemcached, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return rawMemcached{}, err
	}
	return rawMemcached{bufio.NewReadWriter(bufio.NewReaderSize(conn, 64<<10), bufio.NewWriterSize(conn, 64<<10)), conn}, nil
}

func openRawMemcached(addr string) (store, error) {
	c, err := dialRawMemcached(addr)
	if err != nil {
		return store{}, err
	}
	return store{
		get:        c.get,
		set:        c.set,
		getMany:    c.getMany,
		setMany:    func(keys []string, value []byte) func() error { return func() error { return c.setMany(keys, value) } },
		deleteMany: c.deleteMany,
		close:      func() { c.conn.Close() },
	}, nil
}

func (c rawMemcached) get(key string) ([]byte, error) {
	c.WriteString("mg ")
	c.WriteString(key)
	c.WriteString(" v\r\n")
	line, err := c.answer()
	if err != nil {
		return nil, err
	}
	if bytes.Equal(line, []byte("EN")) {
		return nil, os.ErrNotExist
	}
	return c.value(bytes.TrimPrefix(line, []byte("VA ")))
}

func (c rawMemcached) set(key string, value []byte) error {
	c.writeSet(key, value, "")
	return c.expect("HD")
}

func (c rawMemcached) getMany(keys []string) (found int, err error) {
	c.WriteString("get")
	for _, key := range keys {
		c.WriteByte(' ')
		c.WriteString(key)
	}
	c.WriteString("\r\n")
	values := make([][]byte, 0, len(keys))
	for {
		line, err := c.answer()
		if err != nil || bytes.Equal(line, []byte("END")) {
			return len(values), err
		}
		value, err := c.value(line[bytes.LastIndexByte(line, ' ')+1:])
		if err != nil {
			return 0, err
		}
		values = append(values, value)
	}
}

// setMany reads the replies of failures only: MN ends them.
func (c rawMemcached) setMany(keys []string, value []byte) error {
	for _, key := range keys {
		c.writeSet(key, value, " q")
	}
	c.WriteString("mn\r\n")
	return c.expect("MN")
}

// deleteMany reads a reply for each key.
func (c rawMemcached) deleteMany(keys []string) (found int, err error) {
	for _, key := range keys {
		c.WriteString("md ")
		c.WriteString(key)
		c.WriteString("\r\n")
	}
	for range keys {
		line, err := c.answer()
		if err != nil {
			return 0, err
		}
		if bytes.Equal(line, []byte("HD")) {
			found++
		}
	}
	return found, nil
}

func (c rawMemcached) writeSet(key string, value []byte, flags string) {
	c.WriteString("ms ")
	c.WriteString(key)
	c.WriteByte(' ')
	c.Write(strconv.AppendInt(c.AvailableBuffer(), int64(len(value)), 10))
	c.WriteString(" T")
	c.Write(strconv.AppendInt(c.AvailableBuffer(), int64(workload.Life.Seconds()), 10))
	c.WriteString(flags)
	c.WriteString("\r\n")
	c.Write(value)
	c.WriteString("\r\n")
}

// answer flushes what was written and returns the next line.
func (c rawMemcached) answer() ([]byte, error) {
	if err := c.Flush(); err != nil {
		return nil, err
	}
	line, err := c.ReadSlice('\n')
	return bytes.TrimSuffix(line, []byte("\r\n")), err
}

func (c rawMemcached) expect(want string) error {
	line, err := c.answer()
	if err == nil && string(line) != want {
		err = fmt.Errorf("%q instead of %s", line, want)
	}
	return err
}

// value reads a value of so many bytes, and the end of its line.
func (c rawMemcached) value(size []byte) ([]byte, error) {
	n, err := strconv.Atoi(string(size))
	if err != nil {
		return nil, err
	}
	value := make([]byte, n)
	if _, err := io.ReadFull(c, value); err != nil {
		return nil, err
	}
	_, err = c.Discard(len("\r\n"))
	return value, err
}
