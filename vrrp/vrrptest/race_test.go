//go:build race

package vrrptest

// raceShare is the part of the simulated hours that runs under the race
// detector, which slows arithmetic down and has no goroutine to watch here.
const raceShare = 0.1
