//go:build !race

package vrrptest

const raceShare = 1
