"""What an auditor keeps: the verified history of its nation, to be asked, proven and handed on."""
