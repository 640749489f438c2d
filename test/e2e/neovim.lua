-- Neovim's own client, without any plugin, against the language server over stdio. Written for Debian's 0.7, runs on newer ones.
local checks = { passed = 0, failed = 0 }

local function check(name, holds, detail)
  checks[holds and 'passed' or 'failed'] = checks[holds and 'passed' or 'failed'] + 1
  io.stdout:write(string.format('%s  %s%s\n', holds and 'ok    ' or 'not ok', name, holds and '' or ('\n        ' .. tostring(detail))))
end

local function codes()
  local found = {}
  for _, diagnostic in ipairs(vim.diagnostic.get(0)) do
    local lsp = diagnostic.user_data and diagnostic.user_data.lsp or {}
    table.insert(found, string.format('%d: %s %s', diagnostic.lnum + 1, diagnostic.code or lsp.code, diagnostic.message))
  end
  return found
end

local function has(lines, part)
  for _, line in ipairs(lines) do
    if line:find(part, 1, true) then return true end
  end
  return false
end

local function line_of(part)
  for number, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
    if line:find(part, 1, true) then return number - 1, line:find(part, 1, true) - 1 end
  end
end

vim.cmd('edit ' .. vim.fn.fnameescape(vim.env.IOMMU_FILE))
vim.bo.filetype = 'iommu'
local client = vim.lsp.start_client({
  name = 'iommu',
  cmd = { vim.env.IOMMU_NODE, vim.env.IOMMU_SERVER, '--stdio' },
  root_dir = vim.fn.fnamemodify(vim.env.IOMMU_FILE, ':p:h'),
})
check('the server starts', client ~= nil, 'vim.lsp.start_client returned nil')
vim.lsp.buf_attach_client(0, client)

vim.wait(20000, function() return #vim.diagnostic.get(0) > 0 end, 50)
check('the failing assignment is shown', has(codes(), 'ownership/group-not-viable'), vim.inspect(codes()))

local line, column = line_of('gpu at')
local answers = vim.lsp.buf_request_sync(0, 'textDocument/hover', {
  textDocument = { uri = vim.uri_from_bufnr(0) },
  position = { line = line, character = column },
}, 10000)
check('a hover explains the group', vim.inspect(answers):find('group') ~= nil, vim.inspect(answers))

local audio = line_of('snd_hda_intel')
local text = vim.api.nvim_buf_get_lines(0, audio, audio + 1, false)[1]
vim.api.nvim_buf_set_lines(0, audio, audio + 1, false, { (text:gsub('snd_hda_intel', 'vfio-pci')) })
local cleared = vim.wait(20000, function() return not has(codes(), 'ownership/group-not-viable') end, 50)
check('an edit clears it', cleared, vim.inspect(codes()))

vim.lsp.stop_client(client)
vim.wait(2000, function() return vim.lsp.client_is_stopped(client) end, 20)
io.stdout:write(string.format('%d passed, %d failed\n', checks.passed, checks.failed))
vim.cmd(checks.failed == 0 and 'qa!' or 'cq!')
