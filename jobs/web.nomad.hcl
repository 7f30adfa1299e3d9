# A sample service behind the VIP: a static port, because direct routing cannot
# translate ports, and a shutdown_delay in which the directors let connections
# finish after Nomad has deregistered the instance.
#
#   nomad job run -var count=2 web.nomad.hcl

variable "datacenters" {
  type    = list(string)
  default = ["*"]
}

variable "node_pool" {
  type    = string
  default = "all"
}

variable "role" {
  type        = string
  default     = "web"
  description = "Value of meta.role on web nodes."
}

variable "count" {
  type    = number
  default = 2
}

variable "service" {
  type    = string
  default = "web"
}

variable "port" {
  type    = number
  default = 80
}

variable "address" {
  type        = string
  default     = "$${attr.unique.network.ip-address}"
  description = "Address to register: that of the node in the directors' network."
}

variable "health" {
  type    = string
  default = "/"
}

variable "weight" {
  type        = number
  default     = 1
  description = "Weight of each instance; consul kv put edgekeeper/weight/… overrides it live."
}

variable "shutdown_delay" {
  type        = string
  default     = "15s"
  description = "How long connections may finish before the server is told to stop."
}

variable "drain_timeout" {
  type        = string
  default     = ""
  description = "When set, such as 25s: shutdown_delay may be short, and the server is told to stop when its connections are gone, at the latest after this. It takes the program edgekeeper on the node, and a client whose max_kill_timeout is longer."
}

variable "kill_timeout" {
  type        = string
  default     = "5s"
  description = "How long the server may take to end when it is told to, drain_timeout included."
}

variable "binary" {
  type        = string
  default     = "/usr/bin/edgekeeper"
  description = "The program that waits for drain_timeout."
}

variable "command" {
  type    = string
  default = "/usr/bin/python3"
}

variable "args" {
  type    = list(string)
  default = ["-m", "http.server", "$${NOMAD_PORT_http}"]
}

job "web" {
  type        = "service"
  datacenters = var.datacenters
  node_pool   = var.node_pool

  constraint {
    attribute = "${meta.role}"
    value     = var.role
  }

  group "web" {
    count          = var.count
    shutdown_delay = var.shutdown_delay

    network {
      mode = "host"
      port "http" {
        static = var.port
      }
    }

    service {
      name    = var.service
      port    = "http"
      address = var.address

      meta {
        edgekeeper_weight = var.weight
      }

      check {
        type     = "http"
        path     = var.health
        interval = "5s"
        timeout  = "2s"

        check_restart {
          limit = 3
          grace = "30s"
        }
      }
    }

    task "web" {
      driver = "raw_exec"

      config {
        command = var.drain_timeout == "" ? var.command : var.binary
        args    = var.drain_timeout == "" ? var.args : concat(["wait-drained", "-port", "${NOMAD_PORT_http}", "-timeout", var.drain_timeout, "--", var.command], var.args)
      }

      # After drain_timeout the server has what is left to end.
      kill_timeout = var.kill_timeout

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
