# One small cloud instance with the server behind Caddy, which gets its certificate by itself.
#
#   terraform init
#   terraform apply -var domain=signaling.example -var package_url=https://… -var package_sha256=…
#
# Then point the name at the address that it shows.

terraform {
  required_version = ">= 1.3"

  required_providers {
    hcloud = {
      source  = "hetznercloud/hcloud"
      version = "~> 1.45"
    }
  }
}

# The token is taken from the variable HCLOUD_TOKEN.
provider "hcloud" {}

variable "domain" {
  description = "The name that peers connect to."
  type        = string
}

variable "package_url" {
  description = "Where the Debian package can be downloaded."
  type        = string
}

variable "package_sha256" {
  description = "Its SHA-256, so that nothing else is installed."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.package_sha256))
    error_message = "A SHA-256 has 64 hexadecimal digits."
  }
}

variable "max_connections" {
  description = "Peers at once."
  type        = number
  default     = 5000
}

variable "ssh_keys" {
  description = "Names of the keys that may log in as root; without any nobody can log in."
  type        = list(string)
  default     = []
}

variable "server_type" {
  description = "The size of the instance."
  type        = string
  default     = "cx22"
}

variable "location" {
  description = "Where it stands."
  type        = string
  default     = "fsn1"
}

resource "hcloud_firewall" "signaling" {
  name = "peerpigeon-signaling"

  dynamic "rule" {
    for_each = length(var.ssh_keys) > 0 ? ["22", "80", "443"] : ["80", "443"]
    content {
      direction  = "in"
      protocol   = "tcp"
      port       = rule.value
      source_ips = ["0.0.0.0/0", "::/0"]
    }
  }
}

resource "hcloud_server" "signaling" {
  name         = "peerpigeon-signaling"
  image        = "debian-12"
  server_type  = var.server_type
  location     = var.location
  ssh_keys     = var.ssh_keys
  firewall_ids = [hcloud_firewall.signaling.id]

  user_data = templatefile("${path.module}/cloud-init.yaml", {
    domain          = var.domain
    package_url     = var.package_url
    package_sha256  = var.package_sha256
    max_connections = var.max_connections
  })
}

output "address" {
  description = "Where the name has to point."
  value = {
    ipv4 = hcloud_server.signaling.ipv4_address
    ipv6 = hcloud_server.signaling.ipv6_address
  }
}
