// SPDX-License-Identifier: Apache-2.0

package door

import (
	"cmp"
	"debug/elf"
	"debug/gosym"
	"errors"
	"fmt"
	"slices"
	"sort"
)

// An image is an unstripped executable or shared object with Go code.
type image struct {
	arch      elf.Machine
	functions []function // by address
	lines     *gosym.Table
	text      *elf.Section
	code      []byte
}

// A function is a symbol and its code, decoded when it is first asked for.
type function struct {
	name string
	pc   uint64
	size uint64
	body []instruction
}

func open(path string) (*image, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m := &image{arch: f.Machine, text: f.Section(".text")}
	symbols, err := f.Symbols()
	if m.text == nil || err != nil {
		return nil, fmt.Errorf("%s: is no unstripped Go image: %w", path, errors.Join(err))
	}
	if m.code, err = m.text.Data(); err != nil {
		return nil, err
	}
	lines, err := table(f, symbols)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	start := m.text.Addr
	for _, s := range symbols {
		switch {
		case s.Name == "runtime.text":
			start = s.Value
		case elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Size > 0 && m.contains(s.Value):
			m.functions = append(m.functions, function{name: s.Name, pc: s.Value, size: s.Size})
		}
	}
	slices.SortFunc(m.functions, func(a, b function) int { return cmp.Compare(a.pc, b.pc) })
	m.lines, err = gosym.NewTable(nil, gosym.NewLineTable(lines, start))
	return m, err
}

// table is Go's table of lines. It is found by its symbol: the section is .gopclntab,
// or, of Go 1.25 in a shared object, a part of .data.rel.ro.
func table(f *elf.File, symbols []elf.Symbol) ([]byte, error) {
	for _, s := range symbols {
		if s.Name != "runtime.pclntab" || int(s.Section) >= len(f.Sections) {
			continue
		}
		section := f.Sections[s.Section]
		data, err := section.Data()
		if at := s.Value - section.Addr; err == nil && at < uint64(len(data)) {
			return data[at:], nil
		}
		return nil, errors.Join(errors.New("runtime.pclntab is not where its symbol says"), err)
	}
	return nil, errors.New("has no symbol runtime.pclntab")
}

func (m *image) contains(pc uint64) bool {
	return pc >= m.text.Addr && pc < m.text.Addr+uint64(len(m.code))
}

// at is the function that holds an address, or nil.
func (m *image) at(pc uint64) *function {
	i := sort.Search(len(m.functions), func(i int) bool { return m.functions[i].pc > pc }) - 1
	if i < 0 || pc >= m.functions[i].pc+m.functions[i].size {
		return nil
	}
	f := &m.functions[i]
	if f.body == nil {
		m.decode(f)
	}
	return f
}

func (m *image) named(match func(string) bool) (all []*function) {
	for i := range m.functions {
		if match(m.functions[i].name) {
			all = append(all, m.at(m.functions[i].pc))
		}
	}
	return all
}

func (m *image) decode(f *function) {
	begin := f.pc - m.text.Addr
	code := m.code[begin:min(begin+f.size, uint64(len(m.code)))]
	for at := 0; at < len(code); {
		var i instruction
		if m.arch == elf.EM_AARCH64 {
			i = decodeARM(code[at:], f.pc+uint64(at))
		} else {
			i = decodeX86(code[at:], f.pc+uint64(at))
		}
		i.pc = f.pc + uint64(at)
		i.file, i.line, _ = m.lines.PCToLine(i.pc)
		f.body = append(f.body, i)
		at += i.size
	}
}
