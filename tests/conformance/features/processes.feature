Feature: Processes
  run: shell and run: script start a process, within limits and with nothing but what the task gives it, once the
  operator allows them.

  @decision-19
  Scenario Outline: <kind> is refused until the operator allows it
    Given a workflow that says:
      """yaml
      do:
        - start: {run: <run>}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/authorization
      status: 403
      instance: /do/0/start
      """
    And the error's detail should mention '<setting>'
    And the tasks should run in order start

    Examples:
      | kind           | run                                                | setting              |
      | A shell        | {shell: {command: 'true'}}                         | LOWTIDE_ALLOW_SHELL  |
      | A Python script | {script: {language: python, code: 'pass'}}        | LOWTIDE_ALLOW_SCRIPT |
      | A JavaScript   | {script: {language: js, code: ''}}                 | LOWTIDE_ALLOW_SCRIPT |

  @decision-19
  Scenario: A program of an MCP server is one, too
    Given a workflow that says:
      """yaml
      do:
        - start: {call: mcp, with: {method: tools/list, transport: {stdio: {command: 'true'}}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 403
      instance: /do/0/start
      """
    And the tasks should run in order start

  Scenario Outline: return: <return>
    Given a workflow that says:
      """yaml
      do:
        - start:
            run:
              shell: {command: 'printf out; printf err >&2; exit 3'}
              return: <return>
      """
    And the operator allows shell
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      <output>
      """
    And the tasks should run in order start

    Examples:
      | return | output                              |
      | stderr | err                                 |
      | code   | 3                                   |
      | all    | {code: 3, stdout: out, stderr: err} |

  Scenario Outline: An exit code that nothing shows is an error, with return: <return>
    Given a workflow that says:
      """yaml
      do:
        - start: {run: {shell: {command: 'printf sorry >&2; exit 3'}, return: <return>}}
      """
    And the operator allows shell
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/runtime
      status: 500
      instance: /do/0/start
      """
    And the error's detail should mention 'sorry'
    And the tasks should run in order start

    Examples:
      | return |
      | stdout |
      | none   |

  Scenario: Its stdin, its arguments and its environment are what the task gives
    Given a workflow that says:
      """yaml
      do:
        - start:
            run:
              shell:
                command: 'cat; echo " $1 $NAME $(env | grep -c LOWTIDE)"'
                stdin: ${ .text }
                arguments: ['${ .n }']
                environment: {NAME: '${ .name }'}
      """
    And the workflow input is:
      """yaml
      {text: hello, n: 7, name: Ada}
      """
    And the operator allows shell
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      |
        hello 7 Ada 0
      """
    And the tasks should run in order start

  Scenario: What is not awaited gives the task's input at once
    Given a workflow that says:
      """yaml
      do:
        - start: {run: {await: false, shell: {command: sleep 60}}}
      """
    And the workflow input is:
      """yaml
      n: 1
      """
    And the operator allows shell
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 1
      """
    And the tasks should run in order start
