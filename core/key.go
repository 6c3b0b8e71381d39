// SPDX-License-Identifier: Apache-2.0

package core

import "strconv"

// KeyMax is the length of the longest key in bytes.
const KeyMax = 255

// checkKey tests the rule of keys: 1 to 255 bytes of [A-Za-z0-9._:/-].
func checkKey(key string) error {
	if key == "" {
		return fail(ErrKey, "key: is empty; a key has 1 to 255 bytes")
	}
	if len(key) > KeyMax {
		return fail(ErrKey, "key: is longer than 255 bytes")
	}
	for i := range len(key) {
		if !keyByte(key[i]) {
			return fail(ErrKey, "key: byte "+strconv.Itoa(int(key[i]))+" at offset "+strconv.Itoa(i)+
				"; a key is made of [A-Za-z0-9._:/-]")
		}
	}
	return nil
}

func keyByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == ':' || c == '/' || c == '-'
}
