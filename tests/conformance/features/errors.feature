Feature: Errors
  A task that goes wrong raises an error with a type, a status and the JSON pointer of the task as its instance. A
  `try` catches the errors that its filters want; an error that nobody catches faults the workflow.

  Scenario: Raise by reference
    Given a workflow that says:
      """yaml
      use:
        errors:
          closed:
            type: https://shop.example/errors/closed
            status: 409
            title: Closed
            detail: ${ "closed until \(.opens)" }
      do:
        - refuse:
            raise:
              error: closed
      """
    And the workflow input is:
      """yaml
      opens: nine
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://shop.example/errors/closed
      status: 409
      title: Closed
      detail: closed until nine
      instance: /do/0/refuse
      """
    And the tasks should run in order refuse

  Scenario: Raise inline, with an instance of the document's own
    Given a workflow that says:
      """yaml
      do:
        - refuse:
            raise:
              error:
                type: https://shop.example/errors/closed
                status: 409
                instance: /orders/7
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://shop.example/errors/closed
      status: 409
      instance: /orders/7
      """
    And the tasks should run in order refuse

  Scenario: Raising an error that is not defined is found before anything runs
    Given a workflow that says:
      """yaml
      do:
        - refuse:
            raise:
              error: closed
      """
    When the document is checked
    Then the document should be refused at '5':
      """
      closed
      """

  Scenario: A caught error is a variable, called error unless it is named
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - refuse:
                  raise: {error: {type: 'https://shop.example/errors/closed', status: 409, title: Closed}}
            catch:
              do:
                - tell: {set: '${ $error }'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      type: https://shop.example/errors/closed
      status: 409
      title: Closed
      instance: /do/0/guarded/try/0/refuse
      """
    And the tasks should run in order guarded, refuse, tell
    And refuse should fault
    And guarded should complete

  Scenario: Without catch.do a caught error is over, and the output is the input of the try
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - change: {set: {n: 2}}
              - refuse: {raise: {error: {type: 'https://shop.example/errors/closed', status: 409}}}
            catch: {}
      """
    And the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      n: 1
      """
    And the tasks should run in order guarded, change, refuse

  Scenario Outline: A filter is literal on each field that it names: <filter>
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - refuse:
                  raise:
                    error:
                      type: https://shop.example/errors/closed
                      status: 409
                      title: Closed
                      detail: until nine
            catch:
              errors:
                with: <filter>
              do:
                - tell: {set: {caught: true}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      caught: true
      """
    And the tasks should run in order guarded, refuse, tell

    Examples:
      | filter                                                       |
      | {type: 'https://shop.example/errors/closed'}                 |
      | {status: 409}                                                |
      | {title: Closed, detail: until nine}                          |
      | {instance: /do/0/guarded/try/0/refuse}                       |
      | {type: 'https://shop.example/errors/closed', status: 409}    |

  Scenario Outline: What a filter does not want goes on: <filter>
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - refuse:
                  raise: {error: {type: 'https://shop.example/errors/closed', status: 409}}
            catch:
              errors:
                with: <filter>
              do:
                - tell: {set: {caught: true}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://shop.example/errors/closed
      status: 409
      instance: /do/0/guarded/try/0/refuse
      """
    And the tasks should run in order guarded, refuse
    And guarded should fault

    Examples:
      | filter                                                      |
      | {type: 'https://other.example/errors/closed'}               |
      | {status: 500}                                               |
      | {title: Closed}                                             |
      | {type: 'https://shop.example/errors/closed', status: 500}   |

  @decision-9
  Scenario Outline: A standard error has the same name under all hosts: <type>
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - get: {call: http, with: {method: get, endpoint: 'https://shop.example/orders/7'}}
            catch:
              errors:
                with: {type: '<type>', status: 404}
              do:
                - tell: {set: '${ $error.type }'}
      """
    And the service 'shop.example' answers:
      """yaml
      - {status: 404}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      https://open-workflow-specification.org/spec/1.0.0/errors/communication
      """
    And the tasks should run in order guarded, get, tell

    Examples:
      | type                                                                        |
      | https://open-workflow-specification.org/spec/1.0.0/errors/communication     |
      | https://open-workflow-specification.org/dsl/errors/types/communication      |
      | https://serverlessworkflow.io/spec/1.0.0/errors/communication               |
      | https://serverlessworkflow.io/dsl/errors/types/communication                |

  Scenario: when and exceptWhen decide with the error at hand
    Given a workflow that says:
      """yaml
      do:
        - outer:
            try:
              - guarded:
                  try:
                    - refuse: {raise: {error: {type: 'https://shop.example/errors/busy', status: 503}}}
                  catch:
                    as: problem
                    when: $problem.status >= 500
                    exceptWhen: $problem.status == 503
            catch:
              as: problem
              when: $problem.status >= 500
              do:
                - tell: {set: {caught: '${ $problem.instance }'}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      caught: /do/0/outer/try/0/guarded/try/0/refuse
      """
    And the tasks should run in order outer, guarded, refuse, tell
    And guarded should fault
    And outer should complete

  Scenario: An error inside catch.do is an error of the try
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - first: {raise: {error: {type: 'https://shop.example/errors/first', status: 500}}}
            catch:
              do:
                - second: {raise: {error: {type: 'https://shop.example/errors/second', status: 501}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://shop.example/errors/second
      status: 501
      instance: /do/0/guarded/catch/do/0/second
      """
    And the tasks should run in order guarded, first, second

  Scenario Outline: catch.then says where to go after a caught error, and only then
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - refuse: {if: .fail, raise: {error: {type: 'https://shop.example/errors/closed', status: 409}}}
            catch:
              then: record
        - go: {set: {went: on}, then: end}
        - record: {set: {went: wrong}}
      """
    And the workflow input is:
      """yaml
      fail: <fail>
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      went: <went>
      """
    And the tasks should run in order <ran>

    Examples:
      | fail  | went  | ran                      |
      | true  | wrong | guarded, refuse, record  |
      | false | on    | guarded, go              |

  @decision-11
  Scenario: A loop's instance is the pointer of the document
    Given a workflow that says:
      """yaml
      do:
        - loop:
            for: {each: n, in: '[1, 2]'}
            do:
              - refuse: {if: $n == 2, raise: {error: {type: 'https://shop.example/errors/two', status: 400}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://shop.example/errors/two
      status: 400
      instance: /do/0/loop/do/0/refuse
      """
    And the tasks should run in order loop, refuse

  Scenario: What a failed attempt exported stays in the context
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - note: {set: {n: 1}, export: {as: '{noted: true}'}}
              - refuse: {raise: {error: {type: 'https://shop.example/errors/closed', status: 409}}}
            catch:
              do:
                - look: {set: '${ $context }'}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      noted: true
      """
    And the tasks should run in order guarded, note, refuse, look

  Scenario: A host that does not exist is a communication error
    Given a workflow that says:
      """yaml
      do:
        - get: {call: http, with: {method: get, endpoint: 'https://nowhere.example/'}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/communication
      status: 500
      instance: /do/0/get
      """
    And the error's detail should mention 'nowhere.example'
    And the tasks should run in order get
