{#- Guards: every quarantined row says why it is there. Without it nobody could tell what to mend, or that a rule is odd. -#}
{% test has_a_reason(model, column_name) %}
select * from {{ model }}
where {{ column_name }} is null or size({{ column_name }}) = 0
{% endtest %}
