"""What a person looks at: plots, graphs, HTML reports and notebook widgets."""
