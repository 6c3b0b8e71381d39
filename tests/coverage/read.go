// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const module = "github.com/aimdb-dev/aimdb-go/"

// gcovFile is one file of gcov's JSON. A header's functions are in several.
type gcovFile struct {
	File  string
	Lines []struct {
		Line     int    `json:"line_number"`
		Function string `json:"function_name"`
		Count    uint64
		Branches []struct{ Count uint64 }
	}
}

// readC adds what gcov says of the C files and headers in capi.
func (f files) readC(name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	for decoder := json.NewDecoder(in); ; {
		var object struct{ Files []gcovFile }
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		for _, from := range object.Files {
			f.addC(from)
		}
	}
}

func (f files) addC(from gcovFile) {
	name := filepath.Join("capi", filepath.Base(from.File))
	if _, err := os.Stat(name); err != nil || strings.HasSuffix(name, ".go") {
		return // the measurement's own, or cgo's
	}
	for _, line := range from.Lines {
		f.get(name).add(line.Line, line.Function, line.Count)
		for i, b := range line.Branches {
			f.get(name).branches[branch{line.Line, i}] += b.Count
		}
	}
}

var block = regexp.MustCompile(`^` + module + `(.*\.go):(\d+)\.\d+,(\d+)\.(\d+) (\d+) (\d+)$`)

// readGo adds a profile's blocks. A line is run if all of its blocks are; one on
// which a block merely ends says nothing.
func (f files) readGo(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	counts := make(map[string]map[int]uint64)
	for line := range strings.Lines(string(text)) {
		var first, last, column, statements int
		var count uint64
		m := block.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue // the mode
		}
		if _, err := fmt.Sscan(strings.Join(m[2:], " "), &first, &last, &column, &statements, &count); err != nil {
			return err
		}
		if _, err := os.Stat(m[1]); err != nil || statements == 0 {
			continue
		}
		if column <= 2 && last > first {
			last-- // a closing brace
		}
		if counts[m[1]] == nil {
			counts[m[1]] = make(map[int]uint64)
		}
		for at := first; at <= last; at++ {
			if before, seen := counts[m[1]][at]; !seen || count < before {
				counts[m[1]][at] = count
			}
		}
	}
	for name, lines := range counts {
		of, err := functionsOf(name)
		if err != nil {
			return err
		}
		for line, count := range lines {
			f.get(name).add(line, of(line), count)
		}
	}
	return nil
}

// functionsOf tells which function of a Go file a line is in.
func functionsOf(name string) (func(line int) string, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, name, nil, 0)
	if err != nil {
		return nil, err
	}
	return func(line int) string {
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && set.Position(f.Pos()).Line <= line && line <= set.Position(f.End()).Line {
				return receiver(f) + f.Name.Name
			}
		}
		return "-"
	}, nil
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if generic, ok := typ.(*ast.IndexExpr); ok {
		typ = generic.X
	}
	return typ.(*ast.Ident).Name + "."
}

// A reason is a line of a table: | `file:function` | why |. "By chance: ..." is
// for lines that only some runs reach.
type reason struct {
	text     string
	byChance bool
}

var row = regexp.MustCompile("^\\| `([^`:]+):([^`]+)` \\| (.+) \\|$")

func readReasons(name string) (map[function]reason, error) {
	in, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	reasons := make(map[function]reason)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		m := row.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		at := function{m[1], m[2]}
		if _, twice := reasons[at]; twice {
			return nil, fmt.Errorf("%s: %s is there twice", name, at)
		}
		reasons[at] = reason{m[3], strings.HasPrefix(m[3], "By chance: ")}
	}
	return reasons, lines.Err()
}
