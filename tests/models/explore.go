// SPDX-License-Identifier: Apache-2.0

package models

import (
	"fmt"
	"strings"
)

// A System is threads that take turns in any order, one step at a time. S is the
// whole state, so states are compared and each is visited once.
type System[S comparable] struct {
	start S
	// steps gives the states that one step of any thread leads to.
	steps func(S) []S
	// wrong says what no state may be; last: no thread can go on.
	wrong func(s S, last bool) string
}

// explore visits every state, breadth first. It gives how many there are, and
// the shortest way to one that is wrong.
func (y System[S]) explore() (states int, fault string) {
	parent := map[S]S{y.start: y.start}
	for queue := []S{y.start}; len(queue) > 0; queue = queue[1:] {
		s := queue[0]
		next := y.steps(s)
		if what := y.wrong(s, len(next) == 0); what != "" {
			return len(parent), what + y.trace(parent, s)
		}
		for _, n := range next {
			if _, seen := parent[n]; !seen {
				parent[n] = s
				queue = append(queue, n)
			}
		}
	}
	return len(parent), ""
}

func (y System[S]) trace(parent map[S]S, s S) string {
	var way []string
	for ; s != y.start; s = parent[s] {
		way = append([]string{fmt.Sprintf("%+v", s)}, way...)
	}
	return ":\n" + strings.Join(way, "\n")
}
