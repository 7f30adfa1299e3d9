# The real-server agent on every node with meta.role = "web": the virtual
# address on lo and the ARP settings that direct routing needs, undone on stop.
#
#   nomad job run -var vip=192.0.2.1 realserver.nomad.hcl

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

variable "binary" {
  type        = string
  default     = "/usr/bin/edgekeeper"
  description = "The program on the node, or, with artifact, local/edgekeeper."
}

variable "artifact" {
  type        = string
  default     = ""
  description = "Where to download the program from; empty when it is on the node."
}

variable "vip" {
  type        = string
  description = "Virtual address, without a prefix length."

  validation {
    condition     = length(split("/", var.vip)) == 1
    error_message = "The variable vip must be an address without a prefix length, such as 192.0.2.1."
  }
}

variable "state_dir" {
  type    = string
  default = "/var/lib/edgekeeper"
}

job "edgekeeper-realserver" {
  type        = "system"
  priority    = 90
  datacenters = var.datacenters
  node_pool   = var.node_pool

  constraint {
    attribute = "${meta.role}"
    value     = var.role
  }

  group "realserver" {
    restart {
      interval = "1m"
      attempts = 3
      delay    = "2s"
      mode     = "delay"
    }

    task "realserver" {
      driver = "raw_exec"

      config {
        command = var.binary
        args    = ["realserver", "-vip", var.vip, "-state-dir", var.state_dir]
      }

      dynamic "artifact" {
        for_each = var.artifact == "" ? [] : [var.artifact]
        content {
          source = artifact.value
        }
      }

      kill_signal  = "SIGTERM"
      kill_timeout = "5s"

      resources {
        cpu    = 50
        memory = 64
      }
    }

    task "cleanup" {
      driver = "raw_exec"

      lifecycle {
        hook = "poststop"
      }

      # Not again and again: an allocation whose program cannot be fetched would
      # never end.
      restart {
        attempts = 1
        delay    = "1s"
        mode     = "fail"
      }

      config {
        command = var.binary
        args    = ["cleanup", "-state-dir", var.state_dir]
      }

      dynamic "artifact" {
        for_each = var.artifact == "" ? [] : [var.artifact]
        content {
          source = artifact.value
        }
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
