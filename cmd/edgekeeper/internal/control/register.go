package control

// Registration is what the director has registered of itself in Consul.
type Registration struct {
	Services []Registered `json:"services"`
	Error    string       `json:"error,omitempty"` // why Consul may not know it
}

// Registered is one service.
type Registered struct {
	ID      string   `json:"id"`
	Service string   `json:"service"`
	Address string   `json:"address,omitempty"` // empty: the node's
	Tags    []string `json:"tags,omitempty"`
	State   string   `json:"state"` // of its check: passing, warning, critical
	Output  string   `json:"output"`
}
