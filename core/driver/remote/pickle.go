package remote

import (
	"bytes"
	"encoding/binary"
)

// Clients of Python store some types without pickle. These functions return the pickles
// of such values, for backends that store entries as Flask-Caching does.

const (
	opProto = 0x80
	opStop  = '.'
)

// PickleBytes returns the pickle of a Python bytes.
func PickleBytes(value []byte) []byte { return pickle(3, 'B', value) }

// PickleText returns the pickle of a Python str with this text, which is UTF-8.
func PickleText(text []byte) []byte { return pickle(2, 'X', text) }

// pickle returns the pickle of a string with a length of 32 bits.
func pickle(protocol, op byte, value []byte) []byte {
	p := append(make([]byte, 0, len(value)+8), opProto, protocol, op)
	p = binary.LittleEndian.AppendUint32(p, uint32(len(value)))
	return append(append(p, value...), opStop)
}

// IsDigits reports whether text is an optional minus sign and decimal digits: an integer of
// any size.
func IsDigits(text []byte) bool {
	digits := bytes.TrimPrefix(text, []byte("-"))
	return len(digits) > 0 && len(bytes.Trim(digits, "0123456789")) == 0
}

// PickleInteger returns the pickle of a Python int with this decimal text, which
// [IsDigits].
func PickleInteger(text []byte) []byte {
	p := append(make([]byte, 0, len(text)+4), 'L')
	return append(append(p, text...), 'L', '\n', opStop)
}
