package filesystem

import (
	"hash/crc32"
	"slices"
	"sync"
	"time"
)

// readBuffers holds buffers for whole files. A file which fits is read by one
// system call. Its value is read into the memory of the caller or copied out. The copy
// costs no more than zeroing a new slice before reading into it.
var readBuffers = sync.Pool{New: func() any { return new([readBufferSize]byte) }}

const readBufferSize = 128 << 10

// read returns the entry in the file of key, expired or not. If keep is set, its value
// is dst with the value of the entry appended; otherwise the value is empty, read
// allocates nothing, and it does not verify an expired entry. In all other cases it
// verifies the checksum: damage need not change the modification time or the size, and
// all methods have to agree on what is damaged.
func (s *slice) read(name, key string, dst []byte, keep bool) (e entry, err error) {
	layout := s.tree.layout
	f, err := s.open(name)
	if err != nil {
		return e, err
	}
	defer f.close()
	buffer := readBuffers.Get().(*[readBufferSize]byte)
	defer readBuffers.Put(buffer)
	var head, rest []byte
	if n := layout.headSize(key); n < len(buffer) {
		head, rest = buffer[:n], buffer[n:]
	} else {
		head, rest = make([]byte, n), buffer[:]
	}
	spare := dst[len(dst):cap(dst)]
	n, err := f.readParts(head, spare, rest)
	if err != nil {
		return e, err
	}
	h, err := layout.parseHeader(f, head[:min(n, len(head))])
	if err != nil {
		return e, err
	}
	all := len(head) + len(spare) + len(rest)
	if n < all && h.size() > uint64(n) { // a network file system may return less than it has
		if n, err = readOn(f, n, head, spare, rest); err != nil {
			return e, err
		}
	}
	var value []byte
	switch {
	case !keep && (h.flask || h.expires.expired(time.Now())):
		return entry{expires: h.expires, value: []byte{}}, nil
	case !h.flask && uint64(h.keyLen) != uint64(len(key)):
		err = errOtherKey
	case h.size() == uint64(n):
		valueLen := n - len(head)
		value = rest[:max(0, valueLen-len(spare))]
		if keep {
			value = append(dst[:len(dst)+min(valueLen, len(spare))], value...)
		}
		err = h.verify(head, value[len(dst):], key)
	case n == all && h.size() > uint64(n):
		value, err = readLarge(f, h, head, dst, rest, key, keep)
	default:
		err = errWrongLength
	}
	if err != nil {
		return e, err
	}
	if !keep || value == nil {
		value = []byte{}
	}
	e = entry{expires: h.expires, value: value}
	if h.flask {
		e = e.fromFlask(len(dst))
	}
	return e, nil
}

// readOn continues readParts, which has returned n bytes.
func readOn(f file, n int, parts ...[]byte) (int, error) {
	begin := 0
	for _, part := range parts {
		for end := begin + len(part); n < end; {
			m, err := f.readAt(part[n-begin:], int64(n))
			if m == 0 || err != nil {
				return n, err
			}
			n += m
		}
		begin += len(part)
	}
	return n, nil
}

// readLarge is read for a file of which head, the capacity of dst and rest hold the
// beginning. It overwrites rest. A header that does not agree with the size of the file
// allocates nothing. Nor does a sparse file, unless its checksum is right.
func readLarge(f file, h header, head, dst, rest []byte, key string, keep bool) ([]byte, error) {
	size, sparse, err := f.size()
	if err != nil {
		return nil, err
	}
	if uint64(size) != h.size() || size > maxFileSize {
		return nil, errWrongLength
	}
	value := dst[:cap(dst)]
	if !h.flask && (sparse || !keep) {
		if err := verifyLarge(f, h, head, value[len(dst):], rest, key); err != nil || !keep {
			return nil, err
		}
		rest = nil // it holds the end of the file
	}
	value = slices.Grow(value, int(h.valueLen)-(len(value)-len(dst)))
	value = append(value, rest...)
	for end := len(dst) + int(h.valueLen); len(value) < end; {
		n, err := f.readAt(value[len(value):end], int64(len(head)+len(value)-len(dst)))
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, errWrongLength
		}
		value = value[:len(value)+n]
	}
	return value, h.verify(head, value[len(dst):], key)
}

// verifyLarge checks the key and the checksum of a file without keeping its value. head,
// spare and rest hold the beginning of the file; rest then holds other parts.
func verifyLarge(f file, h header, head, spare, rest []byte, key string) error {
	if string(head[headerSize:]) != key {
		return errOtherKey
	}
	sum := crc32.Update(checksum(head, spare), castagnoli, rest)
	for at, size := int64(len(head)+len(spare)+len(rest)), int64(h.size()); at < size; {
		n, err := f.readAt(rest[:min(int64(len(rest)), size-at)], at)
		if err != nil {
			return err
		}
		if n == 0 {
			return errWrongLength
		}
		sum = crc32.Update(sum, castagnoli, rest[:n])
		at += int64(n)
	}
	if sum != h.checksum {
		return errChecksum
	}
	return nil
}

// exists reports whether there is a live entry of key. A corrupt file is false with a
// nil error.
func (s *slice) exists(name, key string) (bool, error) {
	e, err := s.read(name, key, nil, false)
	return e.live(), ignoreCorrupt(err)
}

// readHead returns the header of the entry in the file called name, and up to n bytes
// of its key.
func (s *slice) readHead(name string, n int) (h header, key string, err error) {
	f, err := s.open(name)
	if err != nil {
		return header{}, "", err
	}
	defer f.close()
	data := make([]byte, headerSize+n)
	if n, err = f.readAt(data, 0); err != nil {
		return header{}, "", err
	}
	if h, err = s.tree.layout.parseHeader(f, data[:n]); err != nil {
		return header{}, "", err
	}
	if h.flask {
		if end, _, ok := parseFlaskLease(h.expires, data[flaskHeaderSize:n]); ok {
			h.expires = end
		}
		return h, "", nil
	}
	return h, string(data[headerSize:min(uint64(n), headerSize+uint64(h.keyLen))]), nil
}
